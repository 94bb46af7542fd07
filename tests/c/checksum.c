/* The checksum of the bytes on standard input: as this CPU computes it, and in portable C. */
#include <stdio.h>

#include "checksum.h"

enum { MOST = 1 << 16 };

int main(void)
{
    static uint8_t bytes[MOST];
    size_t size = fread(bytes, 1, MOST, stdin);

    printf("%llu %llu\n", (unsigned long long)image_checksum(bytes, size),
           (unsigned long long)image_checksum_portable(bytes, size));
    return 0;
}
