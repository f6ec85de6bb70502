/*
 * What davitd and a container's monitor say to each other, over SOCK_SEQPACKET, one struct and its
 * text a message. A monitor outlives the daemon that made it, so another version of davitd may be
 * at the other end: a field's meaning never changes, and what a side does not know it ignores.
 */
#ifndef DAVIT_SUPERVISOR_MONITOR_PROTOCOL_H
#define DAVIT_SUPERVISOR_MONITOR_PROTOCOL_H

#include <stdint.h>

#include "base/json_table.h"
#include "bundle/cdi.h"
#include "log_writer.h"

#define MONITOR_PROTOCOL_VERSION 2   /* 2: MONITOR_TEXT_FD */
#define MONITOR_TEXT_MAX (128 << 10) /* in a message */
#define MONITOR_LONG_TEXT_MAX \
    (16 << 20)                        /* in memory that comes with it: any arguments (execve(2)) */
#define MONITOR_SOCKET "monitor.sock" /* in the container's run directory */
#define MONITOR_EXIT_FILE "exit.json" /* in the container's directory */
/* exit.json always has this size, padded with spaces, and is overwritten in place: it has its room
 * on a full disk. Only spaces: the container has not ended since its start. */
#define MONITOR_EXIT_SIZE 512

enum monitor_message_type {
    /* to the monitor */
    MONITOR_ATTACH = 1, /* + connection; flags: MONITOR_STDIN...; text: stdin bytes read already */
    MONITOR_START = 2,
    MONITOR_SIGNAL = 3, /* value: signal */
    MONITOR_RESIZE = 4, /* token: 0 or an exec; value: rows, value2: columns */
    MONITOR_EXEC = 5,   /* token; text: struct monitor_exec as JSON, NUL, stdin bytes read already;
                           + connection if not detached */
    MONITOR_EXEC_SIGNAL = 6, /* token; value: signal */
    MONITOR_PROBE = 7, /* token; text: struct monitor_probe; + where its output goes; ends like an
                          exec */
    MONITOR_JOIN = 8,  /* value: enum oci_namespace_type; + the namespace, in place of a new one;
                          before MONITOR_START */
    MONITOR_NETWORK_READY = 9, /* value: 0 or a negative errno; value2: enum error_code; text */
    MONITOR_SHM =
        10, /* + the mount namespace whose /dev/shm is to be shared; before MONITOR_START */
    /* from the monitor */
    MONITOR_HELD =
        11, /* value 1: davitd holds the container for a while, and it goes on when davitd
               does not; 0: it does no more, or somebody has paused the container */

    MONITOR_STARTED = 64,      /* value: pid; time_ns; again to every new daemon */
    MONITOR_START_FAILED = 65, /* value: exit status; value2: enum error_code; text: message */
    MONITOR_EXITED = 66,       /* text: what the exit file says, which is written if it could be */
    MONITOR_EXEC_STARTED = 67, /* token; value: pid */
    MONITOR_EXEC_FAILED = 68,  /* token; value: exit status; value2: enum error_code; text */
    MONITOR_EXEC_EXITED = 69,  /* token; value: exit status */
    MONITOR_NETWORK = 70, /* value: pid; + network namespace of a container that has hasNetwork;
                             answered by MONITOR_NETWORK_READY */
    /* from the spawner, through the monitor's channel */
    MONITOR_SPAWNED = 71, /* + the monitor's pidfd */
    MONITOR_WARNING = 72, /* text: what went wrong beside the container, for davitd's log */
};

enum monitor_stream_flags {
    MONITOR_STDIN = 1,
    MONITOR_STDOUT = 2,
    MONITOR_STDERR = 4,
    MONITOR_RAW = 8, /* no multiplex frames: a terminal */
    /* Of any message: its text is in memory (memfd_create(2)), passed as the last descriptor. */
    MONITOR_TEXT_FD = 16,
};

struct monitor_message {
    uint32_t version;
    uint32_t type;
    uint64_t token;
    int64_t time_ns;
    int32_t value;
    int32_t value2;
    uint32_t flags;
    uint32_t text_length;
    char text[]; /* not NUL-terminated */
};

/* Why something failed, from a message that says so. */
void monitor_message_error(const struct monitor_message *message, struct error *err);

/* How to run the container; <container>/monitor.json, written by davitd when it is created. */
struct monitor_config {
    const char *id;
    const char *cgroup_path;
    struct string_list layers;
    const char *seccomp_file; /* compiled filter in <root>/seccomp; NULL: unconfined */
    uint32_t project;         /* of the disk quota; 0: none */
    bool has_open_stdin;
    bool is_stdin_once;
    bool has_network;       /* davitd attaches it to one */
    int32_t stop_signal;    /* 0: SIGTERM, in files of an earlier davitd */
    int64_t stop_timeout_s; /* until SIGKILL; below 0: never */
    struct log_options log;
    const char *default_apparmor; /* the profile that it has where the host has that; or NULL */
    struct cdi_request *devices;  /* of vendors, that it has beside those of config.json; or NULL */
};

extern const struct json_struct monitor_config_type;

struct monitor_exec {
    const struct json *process; /* runtime-spec process */
    const char *user;           /* user[:group] to look up in the container; NULL: process.user */
    struct string_list env;     /* what the exec itself says, which stands in process.env as well */
    bool has_stdin;
    bool has_stdout;
    bool has_stderr;
};

extern const struct json_struct monitor_exec_type;

/* A connection to be tried in the container's network. */
struct monitor_probe {
    const char *host; /* an address; NULL: 127.0.0.1 */
    int32_t port;
    const char *path; /* to ask for over HTTP; NULL: connecting is enough */
    int32_t timeout_ms;
};

extern const struct json_struct monitor_probe_type;

/* <container>/exit.json */
struct monitor_exit {
    int32_t status;
    bool is_oom_killed;
    int64_t started_ns;
    int64_t finished_ns;
    const char *error; /* NULL: it ended by itself */
    /* davitd adds it: somebody has stopped it, and no restart policy starts it again. */
    bool is_held_back;
};

/* The record as a text with its sum, so that a damaged one is not believed; the caller frees the
 * writer. Decoding allocates in the arena. */
struct json_writer *monitor_exit_encode(const struct monitor_exit *record);
int monitor_exit_decode(struct arena *arena, const char *text, size_t length,
                        struct monitor_exit *record, struct error *err);

/* In place of an exit, while it runs: since when. So a container that ran when the machine's power
 * went is told from one that never has, also without the database. */
int monitor_start_write(int directory_fd, int64_t started_ns);
bool monitor_start_decode(struct arena *arena, const char *text, size_t length,
                          int64_t *started_ns);

/* Writes exit.json of a container's directory; "" for spaces alone, which keep room on a disk that
 * is full later. After a failure the file may say how an earlier run has ended. Returns 0 or a
 * negative errno. */
int monitor_exit_write(int directory_fd, const char *text);

#endif
