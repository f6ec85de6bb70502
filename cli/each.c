/* Each argument: see each.h. */
#include "each.h"

#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"

int each_argument(struct cli *cli, const struct each_call *call, int argc, char **argv)
{
    int failures = 0;

    for (int i = optind; i < argc; i++) {
        cleanup_free char *path = client_path(call->prefix, argv[i], call->suffix);
        int status;

        if (client_call(&cli->client, call->method, path, call->body, &status, NULL, &cli->err) ==
            0) {
            puts(argv[i]);
            continue;
        }
        cli_print_error(cli);
        failures += !(call->takes_missing && cli->err.code == ERROR_NOT_FOUND);
    }
    return failures > 0 ? 1 : 0;
}
