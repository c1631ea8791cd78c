/*
 * log.c: see log.h. Guest code is disassembled by Capstone, host code by Zydis, each where the build has it.
 */
#include <errno.h>
#include <hypervisor/error.h>
#include <hypervisor/log.h>
#include <stdio.h>
#include <string.h>
#ifdef ARMLET_CAPSTONE
#include <capstone/capstone.h>
#endif
#ifdef ARMLET_ZYDIS
#include <Zydis/Zydis.h>
#endif

static void note_error(struct log *log)
{
    if (!log->error && ferror(log->out))
        log->error = errno ? errno : EIO;
}

static void take_stderr(struct log *log)
{
    if (!log->out)
        log->out = stderr;
}

int log_open(struct log *log, const char *file)
{
    *log = (struct log){.out = stderr};
    if (!file)
        return 0;
    log->out = fopen(file, "we");
    if (!log->out) {
        error_report("the log file '%s' cannot be opened: %s", file, strerror(errno));
        return -1;
    }
    setvbuf(log->out, NULL, _IOLBF, 0); /* the last lines before a crash are the ones that are wanted */
    log->name = file;
    return 0;
}

void log_text(struct log *log, const char *text)
{
    size_t n = strlen(text);
    take_stderr(log);
    flockfile(log->out);
    fputs(text, log->out);
    if (!n || text[n - 1] != '\n')
        putc('\n', log->out);
    note_error(log);
    funlockfile(log->out);
}

static void log_bytes(FILE *out, uint64_t addr, const uint8_t *code, size_t n)
{
    for (size_t i = 0; i < n; i += 16) {
        fprintf(out, "0x%llx: ", (unsigned long long)(addr + i));
        for (size_t k = i; k < n && k < i + 16; k++)
            fprintf(out, " %02x", code[k]);
        putc('\n', out);
    }
}

#ifdef ARMLET_CAPSTONE
static void log_arm(struct log *log, bool thumb, uint32_t addr, const uint8_t *code, size_t n)
{
    FILE *out = log->out;
    csh *h = &log->disassembler[thumb];
    cs_insn *insn;
    if (!*h && cs_open(CS_ARCH_ARM, (cs_mode)((thumb ? CS_MODE_THUMB : CS_MODE_ARM) | CS_MODE_V8), h) != CS_ERR_OK) {
        log_bytes(out, addr, code, n);
        return;
    }
    insn = cs_malloc(*h);
    if (!insn)
        return;
    while (n) {
        uint64_t at = addr;
        size_t left = n;
        const uint8_t *p = code;
        size_t size = thumb ? 2 : 4;
        if (cs_disasm_iter(*h, &p, &left, &at, insn)) {
            size = insn->size;
            fprintf(out, "0x%08x:  ", addr);
            for (size_t i = size; i-- > 0;)
                fprintf(out, "%02x", code[i]);
            fprintf(out, "%*s  %-8s %s\n", (int)(8 - 2 * size), "", insn->mnemonic, insn->op_str);
        } else {
            if (size > n)
                size = n;
            log_bytes(out, addr, code, size);
        }
        code += size;
        n -= size;
        addr += (uint32_t)size;
    }
    cs_free(insn, 1);
}
#endif

#ifdef ARMLET_ZYDIS
static void log_x86(FILE *out, uint64_t addr, const uint8_t *code, size_t n)
{
    while (n) {
        ZydisDisassembledInstruction insn;
        size_t size = 1;
        if (ZYAN_SUCCESS(ZydisDisassembleIntel(ZYDIS_MACHINE_MODE_LONG_64, addr, code, n, &insn))) {
            size = insn.info.length;
            fprintf(out, "0x%llx:  %s\n", (unsigned long long)addr, insn.text);
        } else {
            log_bytes(out, addr, code, size);
        }
        code += size;
        n -= size;
        addr += size;
    }
}
#endif

void log_code(struct log *log, enum code_kind kind, uint64_t addr, const uint8_t *code, size_t n)
{
    take_stderr(log);
    switch (kind) {
#ifdef ARMLET_CAPSTONE
    case CODE_A32:
    case CODE_T32:
        log_arm(log, kind == CODE_T32, (uint32_t)addr, code, n);
        break;
#endif
#ifdef ARMLET_ZYDIS
    case CODE_X86:
        log_x86(log->out, addr, code, n);
        break;
#endif
    default:
        log_bytes(log->out, addr, code, n);
    }
    note_error(log);
}

int log_close(struct log *log)
{
    int err = 0;
    if (log->name) {
        if (fclose(log->out) != 0 && !log->error)
            log->error = errno;
        if (log->error) {
            error_report("the log file '%s' cannot be written: %s", log->name, strerror(log->error));
            err = -1;
        }
    }
#ifdef ARMLET_CAPSTONE
    for (unsigned i = 0; i < 2; i++)
        if (log->disassembler[i])
            cs_close(&log->disassembler[i]);
#endif
    *log = (struct log){0};
    return err;
}
