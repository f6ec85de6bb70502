/* Running from a read-only mount: shared by self.c and self_start.c. */
#ifndef DAVIT_RUNTIME_SELF_H
#define DAVIT_RUNTIME_SELF_H

/* In the environment of the second run only, so that a host where the first one had no effect
 * cannot loop. */
#define SELF_SECOND_RUN "DAVIT_SELF_PROTECTED"

#endif
