/* How the kernel's seccomp filters call this machine (seccomp_data.arch). */
#ifndef DAVIT_RUNTIME_AUDIT_ARCH_H
#define DAVIT_RUNTIME_AUDIT_ARCH_H

#include <linux/audit.h>

#if defined(__x86_64__)
#define NATIVE_AUDIT_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_AUDIT_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv)
#define NATIVE_AUDIT_ARCH AUDIT_ARCH_RISCV64
#endif

#endif
