/* Signal names: see signals.h. */
#include "signals.h"
#include "cleanup.h"
#include "number.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int parse_number(const char *text, int lowest, int highest)
{
    int64_t value;

    return number_parse(text, lowest, highest, &value) ? (int)value : -EINVAL;
}

/* Other names that signal(7) has for the same numbers. */
static const struct {
    const char *name;
    int number;
} aliases[] = {{"IO", SIGIO}, {"CLD", SIGCHLD}, {"IOT", SIGABRT}};

int signal_parse(const char *text)
{
    if (text[0] >= '0' && text[0] <= '9')
        return parse_number(text, 1, SIGRTMAX);
    if (strncasecmp(text, "SIG", 3) == 0)
        text += 3;
    if (strncasecmp(text, "RTMIN", 5) == 0) {
        int offset = text[5] == '\0'  ? 0
                     : text[5] == '+' ? parse_number(text + 6, 0, SIGRTMAX - SIGRTMIN)
                                      : -EINVAL;

        return offset < 0 ? offset : SIGRTMIN + offset;
    }
    for (size_t i = 0; i < ARRAY_SIZE(aliases); i++) {
        if (strcasecmp(aliases[i].name, text) == 0)
            return aliases[i].number;
    }
    for (int number = 1; number < SIGRTMIN; number++) {
        const char *name = sigabbrev_np(number);

        if (name != NULL && strcasecmp(name, text) == 0)
            return number;
    }
    return -EINVAL;
}
