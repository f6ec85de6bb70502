/* login, logout. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cli.h"
#include "credentials.h"
#include "options.h"

#define SECRET_MAX 65536

struct login_options {
    const char *username;
    const char *password;
    bool reads_password;
};

/* A line from standard input, without its end. */
static int read_line(struct cli *cli, const char *prompt, const char **line)
{
    char text[SECRET_MAX];

    fputs(prompt, stderr);
    fflush(stderr);
    if (fgets(text, sizeof(text), stdin) == NULL)
        return error_set(&cli->err, ERROR_INVALID, EINVAL, "login: no answer");
    text[strcspn(text, "\r\n")] = '\0';
    *line = arena_strdup(&cli->arena, text);
    return 0;
}

static struct termios saved;

/* Ctrl-C leaves the terminal as it was. */
static void on_interrupt(int number)
{
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved);
    signal(number, SIG_DFL);
    raise(number);
}

static int ask_password(struct cli *cli, const char **password)
{
    struct termios silent;
    int result;

    if (tcgetattr(STDIN_FILENO, &saved) < 0)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "login: a password cannot be asked for without a terminal; use "
                         "--password-stdin");
    silent = saved;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_interrupt);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    result = read_line(cli, "Password: ", password);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    fputc('\n', stderr);
    return result;
}

static int read_password(struct cli *cli, const char **password)
{
    cleanup_buffer struct buffer text = {0};
    int result = file_read_fd(STDIN_FILENO, SECRET_MAX, &text);
    const char *bytes = buffer_text(&text);
    size_t length = text.length;

    if (result < 0)
        return error_errno(&cli->err, -result, "--password-stdin");
    while (length > 0 && (bytes[length - 1] == '\n' || bytes[length - 1] == '\r'))
        length--;
    *password = arena_strndup(&cli->arena, bytes, length);
    return 0;
}

static int check_options(struct cli *cli, const struct login_options *options)
{
    if (options->reads_password && options->username == NULL)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "login: --password-stdin needs --username");
    if (options->reads_password && options->password != NULL)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "login: --password and --password-stdin: only one can be");
    return 0;
}

/* What has not been given is asked for. */
static int complete_login(struct cli *cli, const struct login_options *options, struct login *login)
{
    int result = 0;

    *login = (struct login){.username = options->username, .password = options->password};
    if (options->reads_password)
        result = read_password(cli, &login->password);
    if (result == 0 && login->username == NULL && !isatty(STDIN_FILENO))
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "login: a name cannot be asked for without a terminal; use --username "
                         "and --password-stdin");
    if (result == 0 && login->username == NULL)
        result = read_line(cli, "Username: ", &login->username);
    if (result == 0 && login->password == NULL && login->username != NULL &&
        login->username[0] != '\0')
        result = ask_password(cli, &login->password);
    if (result < 0)
        return result;
    if (login->username == NULL || login->password == NULL || login->username[0] == '\0' ||
        login->password[0] == '\0')
        return error_set(&cli->err, ERROR_INVALID, EINVAL, "login: %s is empty",
                         login->username == NULL || login->username[0] == '\0' ? "the name"
                                                                               : "the password");
    if (strchr(login->username, ':') != NULL)
        return error_set(&cli->err, ERROR_INVALID, EINVAL, "login: \"%.64s\": a name has no colon",
                         login->username);
    return 0;
}

/* Whether the registry takes it. */
static int check_login(struct cli *cli, const char *server, const struct login *login)
{
    const char *body = credentials_json(&cli->arena, login, server);
    int status;

    return client_call(&cli->client, "POST", "/auth", body, &status, NULL, &cli->err);
}

/* With nothing but a server: what is kept already may do. */
static bool is_logged_in(struct cli *cli, const char *server, const struct login_options *options)
{
    struct error ignored = {0};
    struct login login;

    if (options->username != NULL || options->password != NULL ||
        credentials_get(&cli->arena, server, &login, &ignored) < 0 ||
        (login.username == NULL && login.identity_token == NULL))
        return false;
    printf("Authenticating with existing credentials... [Username: %s]\n",
           login.username != NULL ? login.username : "<token>");
    if (check_login(cli, server, &login) == 0)
        return true;
    fprintf(stderr, "davit: what is kept is not taken: %s\n", cli->err.message);
    cli->err = (struct error){0};
    return false;
}

static int log_in(struct cli *cli, const char *server, const struct login_options *options)
{
    struct login login;
    const char *path = NULL;
    int result = complete_login(cli, options, &login);

    if (result == 0 && options->password != NULL)
        fputs("WARNING! A password in the command line is seen by all users; use "
              "--password-stdin.\n",
              stderr);
    if (result == 0)
        result = check_login(cli, server, &login);
    if (result == 0)
        result = credentials_store(&cli->arena, server, &login, &path, &cli->err);
    if (result < 0)
        return result;
    if (path != NULL)
        fprintf(stderr,
                "WARNING! The password is kept unencrypted in %s; a credential helper keeps it "
                "better.\n",
                path);
    puts("Login Succeeded");
    return 0;
}

int cli_login(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"username", 'u', OPTION_TEXT, "NAME", .offset = offsetof(struct login_options, username),
         .help = "who logs in"},
        {"password", 'p', OPTION_TEXT, "PASSWORD",
         .offset = offsetof(struct login_options, password),
         .help = "the password or token, which all users of this host see meanwhile"},
        {"password-stdin", 0, OPTION_FLAG, .offset = offsetof(struct login_options, reads_password),
         .help = "read the password from standard input"},
        {0},
    };
    struct login_options options = {0};
    const struct option_set set = {
        .tables = {{rows, NULL}}, .usage = "[REGISTRY]", .values = &options};
    const char *server;
    int result = options_read(cli, argc, argv, &set);

    if (result == 0)
        result = check_options(cli, &options);
    if (result < 0)
        return result;
    server = credentials_server(&cli->arena, optind < argc ? argv[optind] : NULL);
    if (is_logged_in(cli, server, &options)) {
        puts("Login Succeeded");
        return 0;
    }
    return log_in(cli, server, &options);
}

int cli_logout(struct cli *cli, int argc, char **argv)
{
    const char *server;
    int result = options_read_none(cli, argc, argv, "[REGISTRY]");

    if (result < 0)
        return result;
    server = credentials_server(&cli->arena, optind < argc ? argv[optind] : NULL);
    result = credentials_erase(&cli->arena, server, &cli->err);
    if (result < 0)
        return result;
    printf(result > 0 ? "Removing login credentials for %s\n" : "Not logged in to %s\n", server);
    return 0;
}
