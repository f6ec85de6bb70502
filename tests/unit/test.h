/* What unit tests include: cmocka and its needs, in the order it wants them. */
#ifndef DAVIT_TESTS_UNIT_TEST_H
#define DAVIT_TESTS_UNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The message of an error must contain a text. */
#define assert_error_contains(err, text)                                    \
    do {                                                                    \
        if (strstr((err).message, (text)) == NULL)                          \
            fail_msg("message \"%s\" lacks \"%s\"", (err).message, (text)); \
    } while (0)

#endif
