/* Device rules as a BPF program (kernel: Documentation/admin-guide/cgroup-v2.rst, "Device
 * controller"; linux/bpf.h, struct bpf_cgroup_dev_ctx). */
#include "cgroups.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "internal.h"

#define RULES_MAX 512
#define INSTRUCTIONS_PER_RULE 16

/* dev_t has 12 bits for the major and 20 for the minor number: both fit one comparison. */
#define MINOR_BITS 20
#define MAJOR_MAX 4095
#define MINOR_MAX 1048575

/* Registers: R2 device type, R3 accesses asked for and not yet decided, R4 major, R5 minor, R6 both
 * numbers in one, R7 negative if a rule of the row matches the device (emit_row()). */
struct program {
    struct bpf_insn *instructions;
    size_t count;
};

static void emit(struct program *program, struct bpf_insn instruction)
{
    program->instructions[program->count++] = instruction;
}

static void emit_load(struct program *program, unsigned int target, size_t offset)
{
    emit(program, (struct bpf_insn){.code = BPF_LDX | BPF_W | BPF_MEM,
                                    .dst_reg = target & 15,
                                    .src_reg = BPF_REG_1,
                                    .off = (int16_t)offset});
}

static void emit_alu(struct program *program, unsigned int operation, unsigned int target,
                     int32_t value)
{
    emit(program, (struct bpf_insn){.code = (uint8_t)(BPF_ALU | operation | BPF_K),
                                    .dst_reg = target & 15,
                                    .imm = value});
}

static void emit_move(struct program *program, unsigned int target, unsigned int source)
{
    emit(program, (struct bpf_insn){.code = BPF_ALU | BPF_MOV | BPF_X,
                                    .dst_reg = target & 15,
                                    .src_reg = source & 15});
}

static void emit_return(struct program *program, int32_t value)
{
    emit(program, (struct bpf_insn){
                      .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = value});
    emit(program, (struct bpf_insn){.code = BPF_JMP | BPF_EXIT});
}

/* "If register != value, go elsewhere"; the distance is filled in when it is known. */
static void emit_skip_unless(struct program *program, unsigned int source, uint32_t value)
{
    emit(program, (struct bpf_insn){.code = BPF_JMP32 | BPF_JNE | BPF_K,
                                    .dst_reg = source & 15,
                                    .imm = (int32_t)value});
}

static void emit_jump_if_zero(struct program *program, unsigned int source, int16_t distance)
{
    emit(program, (struct bpf_insn){.code = BPF_JMP32 | BPF_JEQ | BPF_K,
                                    .dst_reg = source & 15,
                                    .off = distance,
                                    .imm = 0});
}

static void patch_skip(struct program *program, size_t position)
{
    program->instructions[position].off = (int16_t)(program->count - position - 1);
}

static bool concerns(const struct cgroup_device_rule *rule, char type)
{
    return rule->type == type || rule->type == 'a';
}

static bool has_numbers(const struct cgroup_device_rule *rule)
{
    return rule->major >= 0 || rule->minor >= 0;
}

static bool decides_all(const struct cgroup_device_rule *rule)
{
    return rule->access == CGROUP_DEVICE_ALL;
}

/* The register that the rule compares and the value it has to have. */
static unsigned int compared_register(const struct cgroup_device_rule *rule, uint32_t *value)
{
    if (rule->major >= 0 && rule->minor >= 0) {
        *value = (uint32_t)rule->major << MINOR_BITS | (uint32_t)rule->minor;
        return BPF_REG_6;
    }
    *value = (uint32_t)(rule->major >= 0 ? rule->major : rule->minor);
    return rule->major >= 0 ? BPF_REG_4 : BPF_REG_5;
}

/* Makes R7 negative if the rule matches, without a branch: the XOR of both numbers, minus one in 64
 * bits, is negative only if they are equal. */
static void emit_match(struct program *program, const struct cgroup_device_rule *rule)
{
    uint32_t value;
    unsigned int compared = compared_register(rule, &value);

    emit_move(program, BPF_REG_0, compared);
    emit_alu(program, BPF_XOR, BPF_REG_0, (int32_t)value);
    emit(program,
         (struct bpf_insn){.code = BPF_ALU64 | BPF_SUB | BPF_K, .dst_reg = BPF_REG_0, .imm = 1});
    emit(program, (struct bpf_insn){.code = BPF_ALU64 | BPF_OR | BPF_X,
                                    .dst_reg = BPF_REG_7,
                                    .src_reg = BPF_REG_0});
}

static bool has_possible_numbers(const struct cgroup_device_rule *rule)
{
    return rule->major <= MAJOR_MAX && rule->minor <= MINOR_MAX;
}

/* Rules that follow each other and decide the same about any access share one branch: each branch
 * costs the kernel's verifier as much as ten other instructions. Returns how many rules are left
 * before them. */
static size_t emit_row(struct program *program, char type, const struct cgroup_device_rule *rules,
                       size_t count)
{
    bool is_allowed = rules[count - 1].is_allowed;

    emit_alu(program, BPF_MOV, BPF_REG_7, 0);
    for (; count > 0; count--) {
        const struct cgroup_device_rule *rule = &rules[count - 1];

        if (!concerns(rule, type) || !has_possible_numbers(rule))
            continue;
        if (!has_numbers(rule) || !decides_all(rule) || rule->is_allowed != is_allowed)
            break;
        emit_match(program, rule);
    }
    emit(program,
         (struct bpf_insn){
             .code = BPF_JMP | BPF_JSGE | BPF_K, .dst_reg = BPF_REG_7, .off = 2, .imm = 0});
    emit_return(program, is_allowed ? 1 : 0);
    return count;
}

/* A rule that decides about some accesses only. The others are left to the rules before it. */
static void emit_partial_decision(struct program *program, const struct cgroup_device_rule *rule)
{
    if (rule->is_allowed) {
        emit_alu(program, BPF_AND, BPF_REG_3, (int32_t)~rule->access);
        emit(program,
             (struct bpf_insn){
                 .code = BPF_JMP32 | BPF_JNE | BPF_K, .dst_reg = BPF_REG_3, .off = 2, .imm = 0});
        emit_return(program, 1);
    } else {
        emit_move(program, BPF_REG_0, BPF_REG_3);
        emit_alu(program, BPF_AND, BPF_REG_0, (int32_t)rule->access);
        emit_jump_if_zero(program, BPF_REG_0, 2);
        emit_return(program, 0);
    }
}

static void emit_partial_rule(struct program *program, const struct cgroup_device_rule *rule)
{
    size_t condition = program->count;
    uint32_t value;

    if (has_numbers(rule)) {
        unsigned int compared = compared_register(rule, &value);

        emit_skip_unless(program, compared, value);
    }
    emit_partial_decision(program, rule);
    if (has_numbers(rule))
        patch_skip(program, condition);
}

/* The last rule decides, so the program asks them from the last to the first. */
static void emit_rules_of_type(struct program *program, char type,
                               const struct cgroup_device_rule *rules, size_t count)
{
    while (count > 0) {
        const struct cgroup_device_rule *rule = &rules[count - 1];

        if (!concerns(rule, type) || !has_possible_numbers(rule)) {
            count--;
        } else if (!decides_all(rule)) {
            emit_partial_rule(program, rule);
            count--;
        } else if (has_numbers(rule)) {
            count = emit_row(program, type, rules, count);
        } else {
            /* The verifier refuses code that cannot be reached. */
            emit_return(program, rule->is_allowed ? 1 : 0);
            return;
        }
    }
    emit_return(program, 0);
}

static void compile_rules(struct program *program, const struct cgroup_device_rule *rules,
                          size_t count)
{
    size_t to_block_devices;

    emit_load(program, BPF_REG_2, offsetof(struct bpf_cgroup_dev_ctx, access_type));
    emit_move(program, BPF_REG_3, BPF_REG_2);
    emit_alu(program, BPF_AND, BPF_REG_2, 0xffff);
    emit_alu(program, BPF_RSH, BPF_REG_3, 16);
    emit_load(program, BPF_REG_4, offsetof(struct bpf_cgroup_dev_ctx, major));
    emit_load(program, BPF_REG_5, offsetof(struct bpf_cgroup_dev_ctx, minor));
    emit_move(program, BPF_REG_6, BPF_REG_4);
    emit_alu(program, BPF_LSH, BPF_REG_6, MINOR_BITS);
    emit(program, (struct bpf_insn){.code = BPF_ALU | BPF_OR | BPF_X,
                                    .dst_reg = BPF_REG_6,
                                    .src_reg = BPF_REG_5});
    to_block_devices = program->count;
    emit_skip_unless(program, BPF_REG_2, BPF_DEVCG_DEV_CHAR);
    emit_rules_of_type(program, 'c', rules, count);
    patch_skip(program, to_block_devices);
    emit_rules_of_type(program, 'b', rules, count);
}

static int load(const struct program *program)
{
    return cgroup_program_load(&(struct cgroup_program){
        .name = "davit_devices",
        .type = BPF_PROG_TYPE_CGROUP_DEVICE,
        .instructions = program->instructions,
        .count = program->count,
    });
}

int cgroup_apply_devices(const struct cgroup *cgroup, const struct cgroup_device_rule *rules,
                         size_t count, struct error *err)
{
    cleanup_free struct bpf_insn *instructions = NULL;
    struct program program = {0};
    cleanup_close int program_fd = -1;
    int result;

    if (count > RULES_MAX)
        return error_set(err, ERROR_INVALID, E2BIG, "%zu device rules; at most %d are possible",
                         count, RULES_MAX);
    instructions = memory_new(16 + count * INSTRUCTIONS_PER_RULE, sizeof(*instructions));
    program.instructions = instructions;
    compile_rules(&program, rules, count);
    program_fd = load(&program);
    if (program_fd < 0)
        return error_errno(err, -program_fd, "load the device program of cgroup %s", cgroup->path);
    result = cgroup_program_attach(cgroup->fd, BPF_CGROUP_DEVICE, program_fd);
    if (result < 0)
        return error_errno(err, -result, "attach the device program to cgroup %s", cgroup->path);
    return 0;
}
