/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Error texts of the cluster's key file; what reads it is in weir/model.h. Implemented in
 * model/key.c; any thread.
 */
#ifndef WEIR_MODEL_KEY_H
#define WEIR_MODEL_KEY_H

#include "weir/model.h"

/** The error text of model_key_read()'s @p err, to stand behind the path. */
const char *model_key_error(int err);

#endif
