/* The caller's own terminal, lent to a container for a while. */
#ifndef DAVIT_BASE_TERMINAL_H
#define DAVIT_BASE_TERMINAL_H

#include <stdbool.h>
#include <termios.h>

struct terminal {
    bool is_raw;
    struct termios saved;
};

/* Passes every key on as it is; no effect if standard input is no terminal. */
void terminal_make_raw(struct terminal *terminal);
void terminal_restore(const struct terminal *terminal);

#endif
