/* firewalld, which has to know davit's bridges (firewalld.dbus(5)). */
#ifndef DAVIT_SUPERVISOR_NETWORKS_FIREWALLD_H
#define DAVIT_SUPERVISOR_NETWORKS_FIREWALLD_H

#include "networks.h"

/* Where firewalld has no zone for bridges of these names ("begin*"), which may be the
 * administrator's choice, they come to its zone "trusted": what goes through them davit decides.
 * Asks in davitd's loop; what fails is tried again, and in the log. Once a second at most. */
void firewalld_bind(struct networks *networks, const char *const *bridges, size_t count);

#endif
