/*
 * davit-resolver: answers containers' questions for names. davitd's spawner runs it with the socket
 * where davitd connects as standard input. Not for people.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/build.h"
#include "base/file.h"
#include "resolver.h"

int main(int argc, char **argv)
{
    static struct resolver resolver;
    struct error err = {0};

    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        printf("davit-resolver version %s\n", davit_version);
        return 0;
    }
    signal(SIGPIPE, SIG_IGN);
    /* Each container has three descriptors here, each question one. */
    open_files_raise_limit();
    resolver.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (resolver.epoll_fd < 0 || sandbox_enter_resolver(&err) < 0) {
        fprintf(stderr, "davit-resolver: %s\n", err.errnum != 0 ? err.message : "epoll");
        return 1;
    }
    control_listen(&resolver, STDIN_FILENO);
    resolver_run(&resolver);
    return 0;
}
