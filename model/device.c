/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtual device is checked against the list of DPDK's drivers and for a number after the
 * driver's name, because DPDK would refuse a wrong one only when weir-dataplane starts.
 */
#include "model/device.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weir/suggest.h"

#define CPU_MAX 1023 /* the last CPU of a cpu_set_t */

/* The virtual devices of Debian's libdpdk that carry frames. */
static const char *const drivers[] = {
	"net_af_packet", "net_af_xdp", "net_bonding", "net_failsafe", "net_memif",       "net_null",
	"net_pcap",      "net_ring",   "net_tap",     "net_vhost",    "net_virtio_user",
};

static bool is_lower_hex(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isdigit((unsigned char)text[i]) && (text[i] < 'a' || text[i] > 'f'))
			return false;
	return true;
}

/* "01:00.0" */
static bool is_short_pci(const char *t)
{
	return strlen(t) == 7 && is_lower_hex(t, 2) && t[2] == ':' && is_lower_hex(t + 3, 2) &&
	       t[5] == '.' && t[6] >= '0' && t[6] <= '7';
}

bool model_device_is_pci(const char *t)
{
	return strlen(t) == 12 && is_lower_hex(t, 4) && t[4] == ':' && is_short_pci(t + 5);
}

bool model_device_pci(const char *device, uint32_t i, char address[MODEL_PCI_MAX])
{
	static const char key[] = ",slave=";

	if (model_device_is_pci(device)) {
		memcpy(address, device, MODEL_PCI_MAX);
		return i == 0;
	}
	while ((device = strstr(device, key))) {
		device += strlen(key);
		snprintf(address, MODEL_PCI_MAX, "%.*s", (int)strcspn(device, ","), device);
		if (strcspn(device, ",") == MODEL_PCI_MAX - 1 && model_device_is_pci(address) &&
		    i-- == 0)
			return true;
	}
	return false;
}

/* The bytes of a virtual device's driver name, without its number. */
static size_t driver_len(const char *device)
{
	size_t n = strcspn(device, ",");

	while (n && isdigit((unsigned char)device[n - 1]))
		n--;
	return n;
}

static bool is_driver(const char *device, const char *name)
{
	size_t n = driver_len(device);

	return strlen(name) == n && !strncmp(device, name, n);
}

static int unknown_driver(const char *device, char reason[DEVICE_REASON_MAX])
{
	struct suggest_best suggest = { 0 };
	char name[32], text[SUGGEST_TEXT_MAX];

	snprintf(name, sizeof(name), "%.*s", (int)driver_len(device), device);
	suggest.given = name;
	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		suggest_try(&suggest, drivers[i]);
	snprintf(reason, DEVICE_REASON_MAX, "there is no virtual device \"%s\"%s", name,
	         suggest_text(&suggest, text));
	return -EINVAL;
}

/* The value of an argument: "iface=eth0". @return its length, 0 when there is none */
static size_t find_device_argument(const char *device, const char *key, const char **value)
{
	const char *p = strchr(device, ',');

	for (; p; p = strchr(p + 1, ','))
		if (!strncmp(p + 1, key, strlen(key)) && p[1 + strlen(key)] == '=') {
			*value = p + 1 + strlen(key) + 1;
			return strcspn(*value, ",");
		}
	return 0;
}

bool model_port_shares_kernel(const struct model_port *port)
{
	const char *name = "";
	size_t n;

	if (!*port->device)
		return true;
	n = find_device_argument(port->device, "iface", &name);
	return is_driver(port->device, "net_af_packet") && n == strlen(port->interface) &&
	       !strncmp(name, port->interface, n);
}

/* The message shows the corrected text, since DPDK's syntax is not obvious. */
static int check_virtual(const struct model_port *port, char reason[DEVICE_REASON_MAX])
{
	const char *name = "", *device = port->device;
	size_t n = driver_len(device), known = 0;

	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		known += is_driver(device, drivers[i]);
	if (!known)
		return unknown_driver(device, reason);
	if (!isdigit((unsigned char)device[n])) {
		snprintf(reason, DEVICE_REASON_MAX,
		         "found \"%.80s\", expected a number after the driver: \"%.*s0%.60s\"",
		         device, (int)n, device, device + n);
		return -EINVAL;
	}
	if (model_port_shares_kernel(port))
		return 0;
	n = find_device_argument(device, "iface", &name);
	if (n != strlen(port->interface) || strncmp(name, port->interface, n))
		return 0;
	snprintf(reason, DEVICE_REASON_MAX,
	         "the port's TAP would be \"%s\", but its device uses that interface "
	         "itself: give the port another interface name",
	         port->interface);
	return -EINVAL;
}

int device_check(const struct model_port *port, char reason[DEVICE_REASON_MAX])
{
	const char *d = port->device;

	if (model_device_is_pci(d))
		return 0;
	if (!strncmp(d, "net_", 4))
		return check_virtual(port, reason);
	if (is_short_pci(d))
		snprintf(reason, DEVICE_REASON_MAX,
		         "found \"%s\", expected it with its domain: \"0000:%s\"", d, d);
	else
		snprintf(
		        reason, DEVICE_REASON_MAX,
		        "found \"%.80s\", expected a PCI address such as \"0000:01:00.0\" (weir nic "
		        "lists them) or a virtual device such as \"net_af_packet0,iface=eth1\"",
		        d);
	return -EINVAL;
}

bool device_same(const char *a, const char *b)
{
	size_t n = strcspn(a, ",");

	return n == strcspn(b, ",") && !strncmp(a, b, n);
}

static const char *read_cpu(const char *text, long *cpu)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return NULL;
	*cpu = strtol(text, &end, 10);
	return *cpu <= CPU_MAX ? end : NULL;
}

int device_read_cores(const char *text, struct model_dpdk *out)
{
	uint16_t cores[MODEL_CORES_MAX];
	uint32_t n = 0;
	long least = 0, first, last;

	while (*text) {
		text = read_cpu(text, &first);
		last = first;
		if (text && *text == '-')
			text = read_cpu(text + 1, &last);
		if (!text || first < least || last < first ||
		    last - first >= (long)(MODEL_CORES_MAX - n))
			return -EINVAL;
		for (long cpu = first; cpu <= last; cpu++)
			cores[n++] = (uint16_t)cpu;
		least = last + 1;
		if (*text == ',' && text[1])
			text++;
		else if (*text)
			return -EINVAL;
	}
	memcpy(out->cores, cores, n * sizeof(cores[0]));
	out->n_cores = n;
	return 0;
}
