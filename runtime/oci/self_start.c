/*
 * The entry point of davit-oci: self_protect() before there is a C library.
 *
 * Running from a read-only mount takes a second execve (self.c says why). A C library's start is by
 * far the most of what that costs (0.3 of 0.4 ms where a hypervisor traps CPUID), and the first run
 * has no use for one. So the kernel enters here: for a command that runs containers the program is
 * executed anew at once, for any other, or if that fails, the C library starts as usual.
 *
 * Nothing is relocated and no thread-local storage exists yet: no library function may be called,
 * not even one the compiler invents, which the Makefile's flags for this file see to. On other
 * processors this file is empty and main() alone calls self_protect().
 */
#if defined(__x86_64__) || defined(__aarch64__)

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "runtime/self.h"

#define ENVIRONMENT_MAX 1024

void self_start_main(uintptr_t *stack);

/* The stack holds argc, argv, NULL, envp, NULL (System V ABI, "Process Initialization"). It is
 * handed on to the C library's _start as it was. */
#if defined(__x86_64__)
__asm__(".text\n"
        ".globl self_start\n"
        ".type self_start, @function\n"
        "self_start:\n"
        "    endbr64\n"
        "    xor %ebp, %ebp\n"
        "    mov %rdx, %rbx\n"
        "    mov %rsp, %rdi\n"
        "    call self_start_main\n"
        "    mov %rbx, %rdx\n"
        "    jmp _start\n"
        ".size self_start, . - self_start\n");

static long system_call(long number, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d,
                        uintptr_t e)
{
    register uintptr_t fourth __asm__("r10") = d;
    register uintptr_t fifth __asm__("r8") = e;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth)
                     : "rcx", "r11", "memory");
    return result;
}
#else
__asm__(".text\n"
        ".globl self_start\n"
        ".type self_start, %function\n"
        "self_start:\n"
        "    mov x29, #0\n"
        "    mov x19, x0\n"
        "    mov x0, sp\n"
        "    bl self_start_main\n"
        "    mov x0, x19\n"
        "    b _start\n"
        ".size self_start, . - self_start\n");

static long system_call(long number, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d,
                        uintptr_t e)
{
    register uintptr_t x0 __asm__("x0") = a;
    register uintptr_t x1 __asm__("x1") = b;
    register uintptr_t x2 __asm__("x2") = c;
    register uintptr_t x3 __asm__("x3") = d;
    register uintptr_t x4 __asm__("x4") = e;
    register long x8 __asm__("x8") = number;

    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x8) : "memory");
    return (long)x0;
}
#endif

static bool begins_with(const char *string, const char *beginning)
{
    while (*beginning != '\0') {
        if (*string++ != *beginning++)
            return false;
    }
    return true;
}

static bool equals(const char *one, const char *other)
{
    return begins_with(one, other) && begins_with(other, one);
}

/* Which argument is the command is not known before options are parsed; one protection too many
 * does no harm. */
static bool runs_containers(char *const *arguments)
{
    for (; *arguments != NULL; arguments++) {
        if (equals(*arguments, "run") || equals(*arguments, "create") ||
            equals(*arguments, "exec") || equals(*arguments, "restore"))
            return true;
    }
    return false;
}

/* "NAME=NUMBER". */
static void write_mark(char *mark, long number)
{
    static const char name[] = SELF_SECOND_RUN "=";
    char digits[20];
    size_t length = 0;

    for (const char *c = name; *c != '\0'; c++)
        *mark++ = *c;
    do {
        digits[length++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (length > 0)
        *mark++ = digits[--length];
    *mark = '\0';
}

/* Copies the environment and adds the mark of a second run. False if it is there or there is no
 * room. */
static bool mark_environment(char *const *environment, const char *mark, const char **marked)
{
    size_t count = 0;

    for (; environment[count] != NULL; count++) {
        if (count == ENVIRONMENT_MAX || begins_with(environment[count], SELF_SECOND_RUN "="))
            return false;
        marked[count] = environment[count];
    }
    marked[count] = mark;
    marked[count + 1] = NULL;
    return true;
}

__attribute__((used, visibility("hidden"))) void self_start_main(uintptr_t *stack)
{
    char **arguments = (char **)(stack + 1);
    char **environment = arguments + stack[0] + 1;
    const char *marked[ENVIRONMENT_MAX + 2];
    char mark[sizeof(SELF_SECOND_RUN) + 24];
    struct mount_attr readonly = {.attr_set = MOUNT_ATTR_RDONLY};
    struct statfs filesystem;
    long exe_fd;
    long tree_fd;

    if (!runs_containers(arguments) || !mark_environment(environment, mark, marked))
        return;
    filesystem.f_flags = 0;
    exe_fd = system_call(SYS_openat, (uintptr_t)AT_FDCWD, (uintptr_t) "/proc/self/exe",
                         O_PATH | O_CLOEXEC, 0, 0);
    if (exe_fd < 0)
        return;
    tree_fd = -1;
    if (system_call(SYS_fstatfs, (uintptr_t)exe_fd, (uintptr_t)&filesystem, 0, 0, 0) == 0 &&
        (filesystem.f_flags & ST_RDONLY) == 0)
        tree_fd = system_call(SYS_open_tree, (uintptr_t)exe_fd, (uintptr_t) "",
                              AT_EMPTY_PATH | OPEN_TREE_CLONE, 0, 0);
    if (tree_fd >= 0 && system_call(SYS_mount_setattr, (uintptr_t)tree_fd, (uintptr_t) "",
                                    AT_EMPTY_PATH, (uintptr_t)&readonly, sizeof(readonly)) == 0) {
        write_mark(mark, tree_fd);
        system_call(SYS_execveat, (uintptr_t)tree_fd, (uintptr_t) "", (uintptr_t)arguments,
                    (uintptr_t)marked, AT_EMPTY_PATH);
    }
    if (tree_fd >= 0)
        system_call(SYS_close, (uintptr_t)tree_fd, 0, 0, 0, 0);
    system_call(SYS_close, (uintptr_t)exe_fd, 0, 0, 0, 0);
}

#endif
