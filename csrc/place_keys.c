#include "place_keys.h"

#include <stdlib.h>

enum { MOST_SEEDS = 256 };

uint32_t bits_of(uint32_t count)
{
    uint32_t bits = 0;

    while (bits < 32 && count > 1u << bits)
        bits++;
    return bits;
}

enum pci_result place_keys(const struct keys_to_place *keys, struct displaced *displaced,
                           uint32_t *multiplier)
{
    uint32_t count = (uint32_t)(keys->keys->size / keys->width), bits = slot_bits_for(count);
    uint32_t *hashes = malloc(((size_t)count + 1) * sizeof *hashes);
    enum displace_result result = DISPLACE_COLLISION;

    bits = bits < keys->least_bits ? keys->least_bits : bits;
    if (hashes == NULL || keys->keys->failed)
        result = DISPLACE_NO_MEMORY;
    *multiplier = 0x9E3779B1u;
    for (unsigned seed = 0; bits <= MOST_SLOT_BITS && seed <= MOST_SEEDS && result == DISPLACE_COLLISION;
         seed++) {
        *multiplier = *multiplier * 0x915F77F5u + 0x2C1B3C6Eu; /* odd again */
        for (uint32_t i = 0; i < count; i++)
            hashes[i] = keys->hash(keys->keys->data + (size_t)i * keys->width, *multiplier);
        result = displace(hashes, count, bits, displaced);
    }
    free(hashes);
    if (result == DISPLACED)
        return PCI_WRITTEN;
    return result == DISPLACE_COLLISION ? PCI_UNFIT : PCI_NO_MEMORY;
}

uint32_t answer_below(struct interner *answers, const void *modules, size_t size, uint32_t most,
                      bool *no_memory)
{
    bool is_room = answers->count < most;
    uint32_t id = is_room ? intern(answers, modules, size) : intern_known(answers, modules, size);

    *no_memory = is_room && id == INTERN_FAILED;
    return id < most ? id : NEVER;
}

uint32_t put_aligned(struct bytes_vector *out, const void *bytes, size_t size)
{
    uint32_t at;

    while (out->size % 8 != 0 && !out->failed)
        bytes_push(out, "", 1);
    at = (uint32_t)out->size;
    bytes_push(out, bytes, size);
    return at;
}

uint32_t put_displacements(struct bytes_vector *out, const struct displaced *displaced)
{
    uint32_t at = put_aligned(out, NULL, 0), count = 1u << displaced->bucket_bits;
    uint8_t *p = bytes_extend(out, (size_t)count * 2);

    for (uint32_t i = 0; p != NULL && i < count; i++) {
        p[2 * i] = (uint8_t)displaced->displacements[i];
        p[2 * i + 1] = (uint8_t)(displaced->displacements[i] >> 8);
    }
    return at;
}
