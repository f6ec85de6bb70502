/*
 * davit-image: the image worker. davitd runs it with the store as its working directory, a command
 * and a job on standard input; people use `davit-image assemble` to make an image from a directory.
 * See davit-image(8).
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/build.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/number.h"
#include "worker/worker.h"

static void report_error(const struct error *err)
{
    const struct image_report report = {.error = err->message, .code = error_code_name(err->code)};

    report_write(STDOUT_FILENO, &report, NULL);
}

/* Opens the store, which is the working directory, after the sandbox has made a mount namespace:
 * before Linux 6.15 overlayfs takes layers from the caller's mount namespace only. */
static int enter_store(int argc, char **argv, int *store_fd, struct error *err)
{
    int result;

    if (argc != 1)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "usage: davit-image %s (in a store's directory)", argv[0]);
    signal(SIGPIPE, SIG_IGN);
    result = sandbox_enter_worker(err);
    if (result < 0)
        return result;
    *store_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*store_fd < 0 || faccessat(*store_fd, "ingest", F_OK, 0) < 0)
        return error_set(err, ERROR_INVALID, EINVAL, "the working directory is not an image store");
    return process_hold_store(*store_fd, err);
}

/* Descriptor 3 is the channel to the fetch worker, an archive to read, or a response's body. */
#define CHANNEL_FD 3
#define INPUT_FD 3
#define BODY_FD 3

static int do_load(int store_fd, const void *job, struct error *err)
{
    return archive_load(store_fd, INPUT_FD, STDOUT_FILENO, job, &worker_default_limits, err);
}

static int do_pull(int store_fd, const void *job, struct error *err)
{
    return job_run_pull(store_fd, CHANNEL_FD, STDOUT_FILENO, job, &worker_default_limits, err);
}

static int do_push(int store_fd, const void *job, struct error *err)
{
    return job_run_push(store_fd, CHANNEL_FD, STDOUT_FILENO, job, err);
}

static int do_inquire(int store_fd, const void *job, struct error *err)
{
    (void)store_fd;
    return job_run_inquiry(CHANNEL_FD, STDOUT_FILENO, job, err);
}

static int do_save(int store_fd, const void *job, struct error *err)
{
    return archive_save(store_fd, BODY_FD, job, err);
}

static int do_import(int store_fd, const void *job, struct error *err)
{
    return job_run_import(store_fd, INPUT_FD, STDOUT_FILENO, job, &worker_default_limits, err);
}

static int do_commit(int store_fd, const void *job, struct error *err)
{
    return job_run_commit(store_fd, STDOUT_FILENO, job, &worker_default_limits, err);
}

static int do_diff(int store_fd, const void *job, struct error *err)
{
    return container_diff(store_fd, BODY_FD, job, err);
}

static int do_export(int store_fd, const void *job, struct error *err)
{
    return job_run_export(store_fd, BODY_FD, job, err);
}

static int do_sbom(int store_fd, const void *job, struct error *err)
{
    return image_sbom(store_fd, BODY_FD, job, err);
}

static int do_stat_path(int store_fd, const void *job, struct error *err)
{
    return job_run_stat_path(store_fd, STDOUT_FILENO, job, err);
}

static int do_copy_out(int store_fd, const void *job, struct error *err)
{
    return job_run_copy_out(store_fd, STDOUT_FILENO, BODY_FD, job, err);
}

static int do_copy_in(int store_fd, const void *job, struct error *err)
{
    return job_run_copy_in(store_fd, INPUT_FD, job, &worker_default_limits, err);
}

static int do_usage(int store_fd, const void *job, struct error *err)
{
    (void)job;
    return store_usage(store_fd, STDOUT_FILENO, err);
}

/* What davitd asks for by a job on standard input. */
static const struct job_command {
    const char *name;
    const struct json_struct *type;
    int (*run)(int store_fd, const void *job, struct error *err);
    bool reports_end; /* ends with REPORT_DONE, as it reports no image */
} job_commands[] = {
    {"load", &load_job_type, do_load, false},
    {"pull", &pull_job_type, do_pull, false},
    {"push", &push_job_type, do_push, false},
    {"inquire", &inquiry_job_type, do_inquire, true},
    {"save", &save_job_type, do_save, true},
    {"import", &make_job_type, do_import, false},
    {"commit", &make_job_type, do_commit, false},
    {"diff", &container_job_type, do_diff, true},
    {"export", &container_job_type, do_export, true},
    {"stat-path", &copy_job_type, do_stat_path, true},
    {"copy-out", &copy_job_type, do_copy_out, true},
    {"copy-in", &copy_job_type, do_copy_in, true},
    {"sbom", &sbom_job_type, do_sbom, true},
    {"usage", &usage_job_type, do_usage, true},
};

static int read_job(struct arena *arena, const struct json_struct *type, void **job,
                    struct error *err)
{
    cleanup_buffer struct buffer text = {0};
    int result = file_read_fd(STDIN_FILENO, IMAGE_JOB_MAX, &text);

    if (result < 0)
        return error_errno(err, -result, "the job");
    *job = arena_new(arena, 1, type->size);
    return json_decode_text(arena, buffer_text(&text), text.length, type, *job, err);
}

static int run_job(const struct job_command *command, int argc, char **argv)
{
    cleanup_arena struct arena arena = {0};
    cleanup_close int store_fd = -1;
    struct error err = {0};
    void *job = NULL;
    int result = enter_store(argc, argv, &store_fd, &err);

    if (result == 0)
        result = read_job(&arena, command->type, &job, &err);
    if (result == 0)
        result = command->run(store_fd, job, &err);
    if (result < 0)
        report_error(&err);
    else if (command->reports_end)
        report_write(STDOUT_FILENO, &(struct image_report){.status = REPORT_DONE}, NULL);
    return result < 0 ? 1 : 0;
}

static const struct option assemble_option_table[] = {
    {"cmd", required_argument, NULL, 'c'},     {"env", required_argument, NULL, 'e'},
    {"workdir", required_argument, NULL, 'w'}, {"user", required_argument, NULL, 'u'},
    {"output", required_argument, NULL, 'o'},  {NULL, 0, NULL, 0},
};

static int parse_assemble(struct arena *arena, struct assemble_options *options,
                          const char **output, int argc, char **argv, struct error *err)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    struct image_reference reference;
    int option;

    while ((option = getopt_long(argc, argv, "+c:e:w:u:o:", assemble_option_table, NULL)) != -1) {
        switch (option) {
        case 'c':
            string_list_append(arena, &options->cmd, optarg);
            break;
        case 'e':
            string_list_append(arena, &options->env, optarg);
            break;
        case 'w':
            options->working_dir = optarg;
            break;
        case 'u':
            options->user = optarg;
            break;
        case 'o':
            *output = optarg;
            break;
        default:
            return error_set(err, ERROR_INVALID, EINVAL, "unknown option; see davit-image(8)");
        }
    }
    if (argc - optind != 2)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "assemble: the image's name and a directory are expected");
    if (image_reference_parse(argv[optind], &reference, err) < 0)
        return -EINVAL;
    if (reference.tag[0] == '\0')
        return error_set(err, ERROR_INVALID, EINVAL, "assemble: the name may not be a digest");
    options->name = arena_printf(arena, "%s:%s", reference.name, reference.tag);
    if (epoch != NULL && !number_parse(epoch, 0, INT64_MAX, &options->created_s))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "SOURCE_DATE_EPOCH: \"%.32s\" is not a number of seconds", epoch);
    return 0;
}

static int assemble(const struct assemble_options *options, const char *directory,
                    const char *output, struct error *err)
{
    cleanup_close int directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_close int file_fd = -1;
    int out_fd = STDOUT_FILENO;

    if (directory_fd < 0)
        return error_errno(err, errno, "%s", directory);
    if (output != NULL) {
        file_fd = open(output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (file_fd < 0)
            return error_errno(err, errno, "%s", output);
        out_fd = file_fd;
    } else if (isatty(STDOUT_FILENO)) {
        return error_set(err, ERROR_INVALID, EINVAL,
                         "an archive is not for a terminal; use --output FILE");
    }
    return archive_assemble(directory_fd, options, out_fd, err);
}

static int run_assemble(int argc, char **argv)
{
    cleanup_arena struct arena arena = {0};
    struct assemble_options options = {0};
    struct error err = {0};
    const char *output = NULL;
    int result = parse_assemble(&arena, &options, &output, argc, argv, &err);

    if (result == 0)
        result = assemble(&options, argv[optind + 1], output, &err);
    if (result < 0)
        fprintf(stderr, "davit-image: %s\n", err.message);
    return result < 0 ? 1 : 0;
}

/* A directory as a tar: what `davit import` sends. */
static int run_tree(int argc, char **argv)
{
    const struct tree_options options = {0};
    cleanup_close int directory_fd =
        argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    struct error err = {0};
    struct archive *archive;
    int result;

    if (directory_fd < 0) {
        fprintf(stderr, "davit-image: tree: %s\n",
                argc == 2 ? strerror(errno) : "one directory is expected");
        return 1;
    }
    archive = tar_create(STDOUT_FILENO, TAR_EXACT, &err);
    result = archive == NULL
                 ? -EIO
                 : tar_finish(archive, tree_write(archive, directory_fd, &options, &err), &err);
    if (result < 0)
        fprintf(stderr, "davit-image: %s: %s\n", argv[1], err.message);
    return result < 0 ? 1 : 0;
}

static int end_copy(int result, const struct error *err)
{
    if (result < 0)
        fprintf(stderr, "davit: %s\n", err->message);
    return result < 0 ? 1 : 0;
}

/* What `davit cp` sends and takes. */
static int run_pack(int argc, char **argv)
{
    struct error err = {0};
    bool follows = argc == 4 && strcmp(argv[1], "--follow") == 0;

    if (argc != (follows ? 4 : 3) || argv[argc - 2][0] == '\0')
        return 2;
    return end_copy(copy_pack(argv[argc - 2], argv[argc - 1], follows, STDOUT_FILENO, &err), &err);
}

static int run_unpack(int argc, char **argv)
{
    struct error err = {0};
    bool keeps_owners = argc == 4 && strcmp(argv[1], "--archive") == 0;

    if (argc != (keeps_owners ? 4 : 3))
        return 2;
    return end_copy(copy_unpack(argv[argc - 2], argv[argc - 1], keeps_owners, STDIN_FILENO, &err),
                    &err);
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";

    opterr = 0;
    /* libarchive writes names that are UTF-8 as they are, and marks others. */
    setlocale(LC_CTYPE, "C.UTF-8");
    for (size_t i = 0; i < ARRAY_SIZE(job_commands); i++) {
        if (strcmp(command, job_commands[i].name) == 0)
            return run_job(&job_commands[i], argc - 1, argv + 1);
    }
    if (strcmp(command, "assemble") == 0)
        return run_assemble(argc - 1, argv + 1);
    if (strcmp(command, "tree") == 0)
        return run_tree(argc - 1, argv + 1);
    if (strcmp(command, "pack") == 0)
        return run_pack(argc - 1, argv + 1);
    if (strcmp(command, "unpack") == 0)
        return run_unpack(argc - 1, argv + 1);
    if (strcmp(command, "--version") == 0) {
        printf("davit-image version %s\n", davit_version);
        return 0;
    }
    fprintf(stderr,
            "usage: davit-image assemble [--cmd ARG]... [--env NAME=VALUE]... "
            "[--workdir DIR]\n"
            "                            [--user USER] [--output FILE] NAME DIRECTORY\n"
            "       davit-image tree DIRECTORY > ARCHIVE\n"
            "       davit-image pack [--follow] PATH NAME > ARCHIVE\n"
            "       davit-image unpack [--archive] DIRECTORY NAME < ARCHIVE\n"
            "       davit-image load|pull|push|inquire|save|import|commit|diff|export|sbom|usage|\n"
            "                   stat-path|copy-out|copy-in < JOB\n");
    return 2;
}
