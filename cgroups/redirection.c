/* cgroup_redirect(): BPF programs that exchange a port in the addresses that sockets are given
 * (bpf(2), BPF_PROG_TYPE_CGROUP_SOCK_ADDR; linux/bpf.h, struct bpf_sock_addr). */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"
#include "cgroups.h"
#include "internal.h"

#define INSTRUCTIONS_MAX 16

struct program {
    struct bpf_insn instructions[INSTRUCTIONS_MAX];
    size_t count;
};

static void emit(struct program *program, struct bpf_insn instruction)
{
    program->instructions[program->count++] = instruction;
}

/* R2 = the field at `offset` of the context in R1; on to the end if it is not `value`. */
static void emit_check(struct program *program, size_t offset, uint32_t value)
{
    emit(program, (struct bpf_insn){.code = BPF_LDX | BPF_W | BPF_MEM,
                                    .dst_reg = BPF_REG_2,
                                    .src_reg = BPF_REG_1,
                                    .off = (int16_t)offset});
    emit(program, (struct bpf_insn){.code = BPF_JMP32 | BPF_JNE | BPF_K,
                                    .dst_reg = BPF_REG_2,
                                    .imm = (int32_t)value});
}

static void patch_jumps(struct program *program)
{
    for (size_t i = 0; i < program->count; i++) {
        struct bpf_insn *instruction = &program->instructions[i];

        if (instruction->code == (BPF_JMP32 | BPF_JNE | BPF_K))
            instruction->off = (int16_t)(program->count - i - 1);
    }
}

/* A socket for both families gives IPv4 addresses in the mapped form, and programs for IPv6 see
 * them so (RFC 4291, 2.5.5.2). */
static void emit_address(struct program *program, const uint8_t bytes[4], bool is_mapped)
{
    uint32_t address;

    memcpy(&address, bytes, sizeof(address));
    if (!is_mapped) {
        emit_check(program, offsetof(struct bpf_sock_addr, user_ip4), address);
        return;
    }
    emit_check(program, offsetof(struct bpf_sock_addr, user_ip6[0]), 0);
    emit_check(program, offsetof(struct bpf_sock_addr, user_ip6[1]), 0);
    emit_check(program, offsetof(struct bpf_sock_addr, user_ip6[2]), htonl(0xffff));
    emit_check(program, offsetof(struct bpf_sock_addr, user_ip6[3]), address);
}

static void compile_redirection(struct program *program, const uint8_t address[4], bool is_mapped,
                                uint16_t from, uint16_t to)
{
    /* 1 lets the call go on. */
    emit(program,
         (struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1});
    emit_address(program, address, is_mapped);
    emit_check(program, offsetof(struct bpf_sock_addr, user_port), htons(from));
    emit(program, (struct bpf_insn){
                      .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = htons(to)});
    emit(program, (struct bpf_insn){.code = BPF_STX | BPF_W | BPF_MEM,
                                    .dst_reg = BPF_REG_1,
                                    .src_reg = BPF_REG_2,
                                    .off = offsetof(struct bpf_sock_addr, user_port)});
    patch_jumps(program);
    emit(program, (struct bpf_insn){.code = BPF_JMP | BPF_EXIT});
}

static int load_and_attach(const struct cgroup *cgroup, const struct program *program,
                           enum bpf_attach_type type)
{
    cleanup_close int fd = cgroup_program_load(&(struct cgroup_program){
        .name = "davit_redirect",
        .type = BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
        .attach_type = type,
        .instructions = program->instructions,
        .count = program->count,
    });

    return fd < 0 ? fd : cgroup_program_attach(cgroup->fd, type, fd);
}

int cgroup_redirect(const struct cgroup *cgroup, const struct cgroup_redirection *redirection,
                    struct error *err)
{
    /* sendmsg() of a socket for both families comes to the program for IPv4. */
    static const struct {
        enum bpf_attach_type type;
        bool is_mapped;
        bool is_answer;
    } hooks[] = {
        {BPF_CGROUP_INET4_CONNECT, false, false}, {BPF_CGROUP_INET6_CONNECT, true, false},
        {BPF_CGROUP_UDP4_SENDMSG, false, false},  {BPF_CGROUP_UDP4_RECVMSG, false, true},
        {BPF_CGROUP_UDP6_RECVMSG, true, true},
    };
    int result = 0;

    for (size_t i = 0; result == 0 && i < ARRAY_SIZE(hooks); i++) {
        struct program program = {.count = 0};

        compile_redirection(&program, redirection->address, hooks[i].is_mapped,
                            hooks[i].is_answer ? redirection->to : redirection->from,
                            hooks[i].is_answer ? redirection->from : redirection->to);
        result = load_and_attach(cgroup, &program, hooks[i].type);
    }
    return result < 0 ? error_errno(err, -result, "redirect a port for cgroup %s", cgroup->path)
                      : 0;
}
