/* The addresses of the host itself. */
#ifndef DAVIT_NETWORK_HOST_ADDRESSES_H
#define DAVIT_NETWORK_HOST_ADDRESSES_H

#include <stdbool.h>

#include "address.h"

/* Whether a device of the caller's network namespace has that address (RTM_GETADDR). True if that
 * cannot be found out. */
bool host_has_address(const struct address *address);

#endif
