/*
 * The kernel's two rules for PCI id tables, restated independently of pyalias in the kernel's own types:
 * the text of an alias (scripts/mod/file2alias.c) and which entry matches (drivers/pci/pci-driver.c).
 *
 * Standard input, one case a line, numbers in hexadecimal:
 *   a VENDOR DEVICE SUBVENDOR SUBDEVICE CLASS MASK OVERRIDE_ONLY      -> the alias, or "-"
 *   m OVERRIDE D S DEV*5 then D + S entries of seven numbers          -> "dynamic N", "static N",
 *       "override" or "none"; OVERRIDE: 0 unset, 1 this driver, 2 another one
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct id {
    uint32_t vendor, device, subvendor, subdevice, class, mask, override_only;
};

static const uint32_t any = ~(uint32_t)0;

static void put(char *text, const char *mark, int width, int fixed, uint32_t number)
{
    char field[24];

    if (fixed)
        snprintf(field, sizeof field, "%s%0*X", mark, width, number);
    else
        snprintf(field, sizeof field, "%s*", mark);
    strcat(text, field);
}

static void print_alias(const struct id *id)
{
    static const char *const marks[3] = {"bc", "sc", "i"};
    char text[128] = "";

    if (id->override_only > 1) {
        puts("-");
        return;
    }
    strcat(text, id->override_only ? "vfio_pci:" : "pci:");
    put(text, "v", 8, id->vendor != any, id->vendor);
    put(text, "d", 8, id->device != any, id->device);
    put(text, "sv", 8, id->subvendor != any, id->subvendor);
    put(text, "sd", 8, id->subdevice != any, id->subdevice);
    for (int i = 0; i < 3; i++) {
        unsigned mask = id->mask >> (16 - 8 * i) & 0xFF, code = id->class >> (16 - 8 * i) & 0xFF;
        if (mask != 0 && mask != 0xFF) {
            puts("-");
            return;
        }
        put(text, marks[i], 2, mask == 0xFF, code);
    }
    if (text[strlen(text) - 1] != '*')
        strcat(text, "*");
    puts(text);
}

static int one_matches(const struct id *id, const struct id *dev)
{
    if (id->vendor != any && id->vendor != dev->vendor)
        return 0;
    if (id->device != any && id->device != dev->device)
        return 0;
    if (id->subvendor != any && id->subvendor != dev->subvendor)
        return 0;
    if (id->subdevice != any && id->subdevice != dev->subdevice)
        return 0;
    return ((id->class ^ dev->class) & id->mask) == 0;
}

static const struct id *next_match(const struct id *id, const struct id *dev)
{
    for (; id->vendor || id->subvendor || id->mask; id++)
        if (one_matches(id, dev))
            return id;
    return NULL;
}

static int read_id(struct id *id)
{
    return scanf("%x %x %x %x %x %x %x", &id->vendor, &id->device, &id->subvendor, &id->subdevice, &id->class,
                 &id->mask, &id->override_only) == 7;
}

static int match(void)
{
    static struct id dynamic[64], table[65];
    struct id dev = {0};
    unsigned override, dynamics, statics;
    const struct id *found;

    if (scanf("%x %x %x %x %x %x %x %x", &override, &dynamics, &statics, &dev.vendor, &dev.device,
              &dev.subvendor, &dev.subdevice, &dev.class) != 8 ||
        dynamics > 64 || statics > 64)
        return 0;
    for (unsigned i = 0; i < dynamics; i++)
        if (!read_id(&dynamic[i]))
            return 0;
    for (unsigned i = 0; i < statics; i++)
        if (!read_id(&table[i]))
            return 0;
    memset(&table[statics], 0, sizeof *table);
    if (override == 2)
        return puts("none") != EOF;
    for (unsigned i = 0; i < dynamics; i++)
        if (one_matches(&dynamic[i], &dev))
            return printf("dynamic %u\n", i) > 0;
    for (found = table; (found = next_match(found, &dev)) != NULL; found++)
        if (!found->override_only || override == 1)
            return printf("static %d\n", (int)(found - table)) > 0;
    return puts(override == 1 ? "override" : "none") != EOF;
}

int main(void)
{
    char kind;
    struct id id;

    while (scanf(" %c", &kind) == 1) {
        if (kind == 'a') {
            if (!read_id(&id))
                return 1;
            print_alias(&id);
        } else if (kind != 'm' || !match()) {
            return 1;
        }
    }
    return 0;
}
