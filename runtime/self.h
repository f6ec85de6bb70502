/* Running from a read-only mount: shared by self.c and self_start.c. */
#ifndef DAVIT_RUNTIME_SELF_H
#define DAVIT_RUNTIME_SELF_H

/* In the environment of the second run only, so that a host where the first one had no effect
 * cannot loop. The value is the descriptor of the mount it runs from, or "". */
#define SELF_SECOND_RUN "DAVIT_SELF_PROTECTED"

/* Takes that descriptor, -1 if there is none. Its last close waits for a grace period of the kernel
 * (0.1 ms): better done when there is nothing else to do than within execve. Call before
 * self_protect(). */
int self_take_descriptor(void);

#endif
