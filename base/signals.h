/* Signal names and numbers. */
#ifndef DAVIT_BASE_SIGNALS_H
#define DAVIT_BASE_SIGNALS_H

/* "SIGTERM", "TERM", "term", "15", "SIGRTMIN+3". Returns the number or -EINVAL. */
int signal_parse(const char *text);

#endif
