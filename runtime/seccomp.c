/* Seccomp filters by libseccomp: runtime-spec config-linux.md "Seccomp"; seccomp(2). */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "audit_arch.h"
#include "base/cleanup.h"
#include "runtime.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1u << 5)
#endif

#define DEFAULT_ERRNO EPERM

static const struct {
    const char *name;
    uint32_t action;
    bool has_errno; /* takes errnoRet */
} actions[] = {
    {"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW, false},
    {"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0), true},
    {"SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD, false},
    {"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS, false},
    {"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD, false},
    {"SCMP_ACT_LOG", SCMP_ACT_LOG, false},
    {"SCMP_ACT_NOTIFY", SCMP_ACT_NOTIFY, false},
    {"SCMP_ACT_TRACE", SCMP_ACT_TRACE(0), true},
    {"SCMP_ACT_TRAP", SCMP_ACT_TRAP, false},
};

static const struct {
    const char *name;
    enum scmp_compare operation;
} operations[] = {
    {"SCMP_CMP_EQ", SCMP_CMP_EQ}, {"SCMP_CMP_GE", SCMP_CMP_GE},
    {"SCMP_CMP_GT", SCMP_CMP_GT}, {"SCMP_CMP_LE", SCMP_CMP_LE},
    {"SCMP_CMP_LT", SCMP_CMP_LT}, {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
    {"SCMP_CMP_NE", SCMP_CMP_NE},
};

static const struct {
    const char *name;
    unsigned int flag;
} flags[] = {
    {"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
    {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
    {"SECCOMP_FILTER_FLAG_TSYNC", 0}, /* one thread loads it: nothing to synchronise */
    {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV},
};

/* All that the specification lists. */
static const char *const architectures[] = {
    "SCMP_ARCH_AARCH64",  "SCMP_ARCH_ARM",         "SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K",
    "SCMP_ARCH_MIPS",     "SCMP_ARCH_MIPS64",      "SCMP_ARCH_MIPS64N32",   "SCMP_ARCH_MIPSEL",
    "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PARISC",      "SCMP_ARCH_PARISC64",
    "SCMP_ARCH_PPC",      "SCMP_ARCH_PPC64",       "SCMP_ARCH_PPC64LE",     "SCMP_ARCH_RISCV64",
    "SCMP_ARCH_S390",     "SCMP_ARCH_S390X",       "SCMP_ARCH_SH",          "SCMP_ARCH_SHEB",
    "SCMP_ARCH_X32",      "SCMP_ARCH_X86",         "SCMP_ARCH_X86_64",
};

static int parse_action(const char *name, const struct optional_uint64 *errno_ret, uint32_t *action,
                        struct error *err)
{
    uint32_t value = errno_ret->is_set ? (uint32_t)errno_ret->value : DEFAULT_ERRNO;

    for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
        if (strcmp(actions[i].name, name) != 0)
            continue;
        if (errno_ret->is_set && !actions[i].has_errno)
            return error_set(err, ERROR_INVALID, EINVAL,
                             "linux.seccomp: the action %s takes no errnoRet", name);
        *action = actions[i].action | (actions[i].has_errno ? value & 0xffff : 0);
        return 0;
    }
    return error_set(err, ERROR_INVALID, EINVAL, "linux.seccomp: unknown action \"%.64s\"", name);
}

/* libseccomp resolves "x86_64" where the specification writes "SCMP_ARCH_X86_64". 0: it does not
 * know that one. */
static uint32_t architecture_token(const char *name)
{
    char lower[64];
    size_t length = strlen(name + strlen("SCMP_ARCH_"));

    for (size_t i = 0; i <= length; i++) {
        char c = name[strlen("SCMP_ARCH_") + i];

        lower[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    return seccomp_arch_resolve_name(lower);
}

static bool is_architecture(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(architectures); i++) {
        if (strcmp(architectures[i], name) == 0)
            return true;
    }
    return false;
}

/* An architecture that this libseccomp is too old for, or that has the other byte order, is not
 * this machine's: no process here can make a call of it, so there is nothing to filter. */
static int add_architectures(scmp_filter_ctx filter, const struct oci_seccomp *seccomp,
                             struct error *err)
{
    for (size_t i = 0; i < seccomp->architectures.count; i++) {
        const char *name = seccomp->architectures.items[i];
        uint32_t token;
        int result;

        if (!is_architecture(name))
            return error_set(err, ERROR_INVALID, EINVAL,
                             "linux.seccomp.architectures[%zu]: unknown architecture \"%.64s\"", i,
                             name);
        token = architecture_token(name);
        result = token != 0 ? seccomp_arch_add(filter, token) : 0;
        if (result < 0 && result != -EEXIST && result != -EDOM)
            return error_errno(err, -result, "linux.seccomp.architectures[%zu]: %s", i, name);
    }
    return 0;
}

static int parse_argument(const struct oci_seccomp_arg *from, struct scmp_arg_cmp *to,
                          struct error *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
        if (strcmp(operations[i].name, from->op) != 0)
            continue;
        to->arg = from->index;
        to->op = operations[i].operation;
        to->datum_a = from->value;
        to->datum_b = from->value_two;
        return 0;
    }
    return error_set(err, ERROR_INVALID, EINVAL, "linux.seccomp: unknown operator \"%.64s\"",
                     from->op);
}

/* Two conditions on one argument cannot stand in one rule; like other runtimes, each condition
 * then becomes a rule of its own. */
static bool has_repeated_index(const struct oci_seccomp_rule *rule)
{
    unsigned int seen = 0;

    for (size_t i = 0; i < rule->args.count; i++) {
        unsigned int bit = 1u << rule->args.items[i].index;

        if ((seen & bit) != 0)
            return true;
        seen |= bit;
    }
    return false;
}

static int add_call(scmp_filter_ctx filter, const struct oci_seccomp_rule *rule, uint32_t action,
                    int number, struct error *err)
{
    struct scmp_arg_cmp arguments[6];
    bool is_split = has_repeated_index(rule);
    int result = 0;

    if (!is_split && rule->args.count > ARRAY_SIZE(arguments))
        return -EINVAL;
    for (size_t i = 0; i < rule->args.count; i++) {
        struct scmp_arg_cmp *argument = &arguments[is_split ? 0 : i];

        if (parse_argument(&rule->args.items[i], argument, err) < 0)
            return -EINVAL;
        if (is_split)
            result = seccomp_rule_add_array(filter, action, number, 1, argument);
        if (result < 0)
            return result;
    }
    if (is_split)
        return 0;
    return seccomp_rule_add_array(filter, action, number, (unsigned int)rule->args.count,
                                  arguments);
}

static int add_rule(scmp_filter_ctx filter, const struct oci_seccomp_rule *rule,
                    uint32_t default_action, struct error *err)
{
    uint32_t action;
    int result = parse_action(rule->action, &rule->errno_ret, &action, err);

    /* libseccomp refuses a rule that says what the default says. */
    if (result < 0 || action == default_action)
        return result;
    for (size_t i = 0; i < rule->names.count; i++) {
        int number = seccomp_syscall_resolve_name(rule->names.items[i]);

        /* Calls this library or architecture does not have cannot be made. */
        if (number == __NR_SCMP_ERROR)
            continue;
        if (err != NULL)
            err->message[0] = '\0';
        result = add_call(filter, rule, action, number, err);
        if (result < 0 && err != NULL && err->message[0] != '\0')
            return result;
        if (result < 0)
            return error_errno(err, -result, "linux.seccomp: rule for %s", rule->names.items[i]);
    }
    return 0;
}

/* libseccomp only writes programs to descriptors. */
static int export_program(scmp_filter_ctx filter, struct seccomp_program *program,
                          size_t prologue_length, struct error *err)
{
    cleanup_close int fd = memfd_create("seccomp", MFD_CLOEXEC);
    off_t size;
    int result;

    if (fd < 0)
        return error_errno(err, errno, "memfd_create");
    result = seccomp_export_bpf(filter, fd);
    if (result < 0)
        return error_errno(err, -result, "linux.seccomp: compile the filter");
    size = lseek(fd, 0, SEEK_END);
    program->length = (size_t)size / sizeof(struct sock_filter) + prologue_length;
    program->instructions = memory_new(program->length, sizeof(struct sock_filter));
    if (pread(fd, (struct sock_filter *)program->instructions + prologue_length, (size_t)size, 0) !=
        size) {
        seccomp_program_release(program);
        return error_errno(err, EIO, "linux.seccomp: read the filter");
    }
    return 0;
}

#if defined(__x86_64__)
#define FOREIGN_CALL_BIT 0x40000000u /* x32 */
#else
#define FOREIGN_CALL_BIT 0x80000000u
#endif

/* The newest native system call that this libseccomp has a name for. */
static unsigned int newest_known_call(void)
{
    unsigned int newest = 0;

    for (unsigned int number = 0; number < 1024; number++) {
        char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int)number);

        if (name != NULL)
            newest = number;
        free(name);
    }
    return newest;
}

#define PROLOGUE_LENGTH 6

/* In front of the filter: a native call newer than anything the profile's author could have named
 * returns ENOSYS, as on a kernel without it. Everything else goes on to the filter. */
static void write_prologue(struct sock_filter *code)
{
    const struct sock_filter prologue[PROLOGUE_LENGTH] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_AUDIT_ARCH, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FOREIGN_CALL_BIT, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, newest_known_call(), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
    };

    memcpy(code, prologue, sizeof(prologue));
}

static int parse_flags(const struct oci_seccomp *seccomp, unsigned int *mask, struct error *err)
{
    *mask = 0;
    for (size_t i = 0; i < seccomp->flags.count; i++) {
        bool is_known = false;

        for (size_t j = 0; j < ARRAY_SIZE(flags); j++) {
            if (strcmp(flags[j].name, seccomp->flags.items[i]) == 0) {
                *mask |= flags[j].flag;
                is_known = true;
            }
        }
        if (!is_known)
            return error_set(err, ERROR_INVALID, EINVAL,
                             "linux.seccomp.flags[%zu]: unknown flag \"%.64s\"", i,
                             seccomp->flags.items[i]);
    }
    return 0;
}

static int add_all_rules(scmp_filter_ctx filter, const struct oci_seccomp *seccomp,
                         uint32_t default_action, struct error *err)
{
    int result = add_architectures(filter, seccomp, err);

    if (result < 0)
        return result;
    /* 2: a binary tree of system call numbers (seccomp_attr_set(3)). The rules below are added for
     * every architecture that has the call. */
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    for (size_t i = 0; result == 0 && i < seccomp->rules.count; i++)
        result = add_rule(filter, &seccomp->rules.items[i], default_action, err);
    return result;
}

static bool notifies(const struct oci_seccomp *seccomp)
{
    bool is_used = strcmp(seccomp->default_action, "SCMP_ACT_NOTIFY") == 0;

    for (size_t i = 0; i < seccomp->rules.count; i++)
        is_used = is_used || strcmp(seccomp->rules.items[i].action, "SCMP_ACT_NOTIFY") == 0;
    return is_used;
}

static bool has_listener_path(const struct oci_seccomp *seccomp)
{
    return seccomp->listener_path != NULL && seccomp->listener_path[0] != '\0';
}

int seccomp_compile(const struct oci_seccomp *seccomp, struct seccomp_program *program,
                    struct error *err)
{
    scmp_filter_ctx filter;
    uint32_t default_action = 0;
    bool has_prologue;
    int result =
        parse_action(seccomp->default_action, &seccomp->default_errno_ret, &default_action, err);

    *program = (struct seccomp_program){.has_listener = notifies(seccomp)};
    if (result == 0 && program->has_listener && !has_listener_path(seccomp))
        return error_set(err, ERROR_INVALID, EINVAL,
                         "linux.seccomp: SCMP_ACT_NOTIFY needs listenerPath");
    if (result == 0)
        result = parse_flags(seccomp, &program->flags, err);
    /* The flag WAIT_KILLABLE_RECV says how a process waits for its agent: the kernel refuses it for
     * a filter without one. */
    if (result == 0 && !program->has_listener)
        program->flags &= ~SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    if (result < 0)
        return result;
    filter = seccomp_init(default_action);
    if (filter == NULL)
        return error_set(err, ERROR_INTERNAL, ENOMEM, "linux.seccomp: seccomp_init failed");
    has_prologue = (default_action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO;
    result = add_all_rules(filter, seccomp, default_action, err);
    if (result == 0)
        result = export_program(filter, program, has_prologue ? PROLOGUE_LENGTH : 0, err);
    if (result == 0 && has_prologue)
        write_prologue(program->instructions);
    seccomp_release(filter);
    return result;
}

void seccomp_program_release(struct seccomp_program *program)
{
    free(program->instructions);
    *program = (struct seccomp_program){0};
}

void seccomp_list_names(struct arena *arena, struct seccomp_names *names)
{
    *names = (struct seccomp_names){0};
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
        string_list_append(arena, &names->actions, actions[i].name);
    for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
        string_list_append(arena, &names->operators, operations[i].name);
    for (size_t i = 0; i < ARRAY_SIZE(architectures); i++)
        string_list_append(arena, &names->architectures, architectures[i]);
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
        string_list_append(arena, &names->known_flags, flags[i].name);
        /* A kernel that knows the flags looks for the filter next, which is not there. */
        if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                    flags[i].flag | (flags[i].flag == SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
                                         ? SECCOMP_FILTER_FLAG_NEW_LISTENER
                                         : 0),
                    NULL) < 0 &&
            errno == EFAULT)
            string_list_append(arena, &names->supported_flags, flags[i].name);
    }
}
