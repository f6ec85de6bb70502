/* davit-oci: an OCI runtime with runc's command line. See davit-oci(8). */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/build.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "oci.h"
#include "runtime/self.h"
#include "systemd.h"

static const struct command {
    const char *name;
    int (*run)(struct oci_context *context, int argc, char **argv);
    const char *usage;
    const char *summary;
    bool runs_containers; /* container code may come to see this process */
} commands[] = {
    {"checkpoint", oci_checkpoint, "[OPTION...] ID", "save a running container by CRIU", false},
    {"create", oci_create, "[OPTION...] ID", "create a container", true},
    {"delete", oci_delete, "[--force] ID", "delete a container and what it holds", false},
    {"events", oci_events, "[--stats] [--interval TIME] ID",
     "follow statistics and out-of-memory kills", false},
    {"exec", oci_exec, "[OPTION...] ID PROGRAM [ARGUMENT...]", "run another process in a container",
     true},
    {"features", oci_features, "", "print what this runtime understands", false},
    {"kill", oci_kill, "[--all] ID [SIGNAL]", "send a signal to a container", false},
    {"list", oci_list, "[--format table|json] [--quiet]", "list containers", false},
    {"pause", oci_pause, "ID", "freeze a container's processes", false},
    {"ps", oci_ps, "[--format table|json] ID [PS-OPTION...]", "show a container's processes",
     false},
    {"restore", oci_restore, "[OPTION...] ID", "bring a saved container back", true},
    {"resume", oci_resume, "ID", "thaw a container's processes", false},
    {"run", oci_run, "[OPTION...] ID", "create and start a container", true},
    {"spec", oci_spec, "[--bundle DIR] [--rootless]", "write a new config.json", false},
    {"start", oci_start, "ID", "run the program of a created container", false},
    {"state", oci_state, "ID", "print the state of a container", false},
    {"update", oci_update, "[--resources FILE] [LIMIT...] ID", "change the limits of a container",
     false},
};

enum global_option {
    OPTION_ROOT = 256,
    OPTION_LOG,
    OPTION_LOG_FORMAT,
    OPTION_ROOTLESS,
    OPTION_SYSTEMD_CGROUP,
    OPTION_CGROUP_MANAGER,
    OPTION_DEBUG,
};

static const struct option global_options[] = {
    {"root", required_argument, NULL, OPTION_ROOT},
    {"log", required_argument, NULL, OPTION_LOG},
    {"log-format", required_argument, NULL, OPTION_LOG_FORMAT},
    {"rootless", required_argument, NULL, OPTION_ROOTLESS},
    {"systemd-cgroup", no_argument, NULL, OPTION_SYSTEMD_CGROUP},
    {"cgroup-manager", required_argument, NULL, OPTION_CGROUP_MANAGER},
    {"debug", no_argument, NULL, OPTION_DEBUG},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'v'},
    {NULL, 0, NULL, 0},
};

struct logging {
    const char *file;
    enum log_format format;
    bool is_debug;
};

static void print_usage(FILE *out)
{
    fprintf(out, "usage: davit-oci [--root DIR] [--log FILE] [--log-format text|json] [--debug]\n"
                 "                 COMMAND [OPTION...] [ARGUMENT...]\n\ncommands:\n");
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fprintf(out, "\ndavit-oci(8) describes them.\n");
}

static bool asks_for_help(int argc, char **argv)
{
    return argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
}

static void print_command_usage(const struct command *command)
{
    printf("usage: davit-oci %s %s\n%s; davit-oci(8) describes it.\n", command->name,
           command->usage, command->summary);
}

static int start_logging(const struct logging *logging, struct error *err)
{
    int fd = STDERR_FILENO;

    if (logging->file != NULL) {
        fd = open(logging->file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (fd < 0)
            return error_errno(err, errno, "--log %s", logging->file);
    }
    log_configure(fd, logging->is_debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, logging->format,
                  "davit-oci");
    return 0;
}

static int parse_cgroup_manager(struct oci_context *context, const char *name)
{
    static const char *const names[] = {"cgroupfs", "systemd", "disabled"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(names[i], name) == 0) {
            context->cgroup_manager = (enum cgroup_manager)i;
            return 0;
        }
    }
    return error_set(&context->err, ERROR_INVALID, EINVAL,
                     "--cgroup-manager: \"%.32s\" is none of cgroupfs, systemd, disabled", name);
}

/* Returns 1 to go on, 0 when all is done, or a negative errno. */
static int parse_global_options(struct oci_context *context, struct logging *logging, int argc,
                                char **argv)
{
    int option;
    int result;

    while ((option = getopt_long(argc, argv, "+hv", global_options, NULL)) != -1) {
        switch (option) {
        case OPTION_ROOT:
            context->root = optarg;
            break;
        case OPTION_LOG:
            logging->file = optarg;
            break;
        case OPTION_LOG_FORMAT:
            if (strcmp(optarg, "json") != 0 && strcmp(optarg, "text") != 0)
                return error_set(&context->err, ERROR_INVALID, EINVAL,
                                 "--log-format: \"%s\" is neither text nor json", optarg);
            logging->format = optarg[0] == 'j' ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT;
            break;
        case OPTION_ROOTLESS:
            /* runc's hint for callers without privilege, which changes nothing for root. */
            if (strcmp(optarg, "true") != 0 && strcmp(optarg, "false") != 0 &&
                strcmp(optarg, "auto") != 0)
                return error_set(&context->err, ERROR_INVALID, EINVAL,
                                 "--rootless: \"%.32s\" is none of true, false, auto", optarg);
            break;
        case OPTION_SYSTEMD_CGROUP:
            context->cgroup_manager = CGROUP_MANAGER_SYSTEMD;
            break;
        case OPTION_CGROUP_MANAGER:
            result = parse_cgroup_manager(context, optarg);
            if (result < 0)
                return result;
            break;
        case OPTION_DEBUG:
            logging->is_debug = true;
            break;
        case 'h':
            print_usage(stdout);
            return 0;
        case 'v':
            printf("davit-oci version %s\nspec: %s\n", davit_version, OCI_VERSION);
            return 0;
        default:
            return oci_usage_error(context, argv);
        }
    }
    return 1;
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static int run_command(struct oci_context *context, int argc, char **argv)
{
    struct logging logging = {.format = LOG_FORMAT_TEXT};
    char **command_argv;
    const struct command *command;
    int command_argc;
    int result = parse_global_options(context, &logging, argc, argv);

    if (result <= 0)
        return result;
    result = start_logging(&logging, &context->err);
    if (result < 0)
        return result;
    if (optind == argc) {
        print_usage(stderr);
        return 1;
    }
    command = find_command(argv[optind]);
    if (command == NULL)
        return error_set(&context->err, ERROR_INVALID, EINVAL,
                         "unknown command \"%.64s\"; davit-oci --help lists them", argv[optind]);
    command_argc = argc - optind;
    command_argv = argv + optind;
    if (asks_for_help(command_argc, command_argv)) {
        print_command_usage(command);
        return 0;
    }
    if (command->runs_containers && geteuid() != 0)
        return error_set(&context->err, ERROR_DENIED, EPERM,
                         "%s: has to run as root; containers without root are not supported",
                         command->name);
    if (command->runs_containers) {
        context->exe_fd = self_take_descriptor();
        self_protect(argv);
    }
    optind = 0; /* makes getopt start anew */
    return command->run(context, command_argc, command_argv);
}

/* A caller may have closed standard streams. What we open next would take their places, and a
 * descriptor of the host would become a standard stream of the program. */
static void ensure_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        /* open(2) takes the lowest that is free. */
        if (fcntl(fd, F_GETFD) < 0)
            (void)!open("/dev/null", O_RDWR);
    }
}

int main(int argc, char **argv)
{
    struct oci_context context = {.root = OCI_DEFAULT_ROOT, .exe_fd = -1};
    int result;

    ensure_standard_streams();
    opterr = 0;
    systemd_find_helper(argv[0]);
    result = run_command(&context, argc, argv);
    if (result >= 0)
        return result;
    log_error("%s", context.err.message);
    return 1;
}
