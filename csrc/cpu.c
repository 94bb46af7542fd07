#include "cpu.h"

#include "pyalias.h"

enum { MOST_VARIANTS = 5 };

#if defined(__x86_64__)
static unsigned list_avx512(const struct variant **variants)
{
    unsigned amd = __builtin_cpu_is("amd") != 0;

    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512vbmi") || !__builtin_cpu_supports("bmi") ||
        !__builtin_cpu_supports("bmi2") || !__builtin_cpu_supports("popcnt"))
        return 0;
    /* gathers win on AMD's CPUs and lose on Intel's (pci_avx512.c) */
    variants[amd ? 0 : 1] = &pci_avx512;
    variants[amd ? 1 : 0] = &pci_avx512_gather;
    return 2;
}
#endif

/* Fills in what this CPU runs, slowest first. */
static unsigned list_variants(const struct variant **variants)
{
    unsigned count = 0;

    variants[count++] = &pci_portable;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("ssse3"))
        variants[count++] = &pci_ssse3;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("popcnt"))
        variants[count++] = &pci_avx2;
    count += list_avx512(variants + count);
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    variants[count++] = &pci_neon; /* part of every 64-bit ARM */
#endif
    return count;
}

bool cpu_has_avx2(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") != 0;
#else
    return false;
#endif
}

const struct variant *cpu_variant(unsigned number)
{
    const struct variant *variants[MOST_VARIANTS];

    return number < list_variants(variants) ? variants[number] : NULL;
}

unsigned pya_variant_count(void)
{
    const struct variant *variants[MOST_VARIANTS];

    return list_variants(variants);
}

const char *pya_variant_name(unsigned number)
{
    const struct variant *variant = cpu_variant(number);

    return variant == NULL ? NULL : variant->name;
}
