/* SPDX-License-Identifier: BSD-2-Clause */
/* What reading a document says about the file of the cluster's key; the rest is in weir/model.h. */
#ifndef WEIR_MODEL_KEY_H
#define WEIR_MODEL_KEY_H

#include "weir/model.h"

/** What to tell a person about model_key_read()'s @p err, behind the path. */
const char *model_key_error(int err);

#endif
