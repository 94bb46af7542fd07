/* libkmod: a context, its resources and one lookup, as often as asked; prints the names and, one a line, the
 * microseconds of CPU time of each round. */
#include <libkmod.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double cpu_microseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    for (int round = atoi(argv[3]); round > 0; round--) {
        struct kmod_list *found = NULL, *entry;
        double start = cpu_microseconds(), end;
        struct kmod_ctx *context = kmod_new(argv[1], NULL);

        if (context == NULL || kmod_load_resources(context) < 0 ||
            kmod_module_new_from_lookup(context, argv[2], &found) < 0)
            return 1;
        end = cpu_microseconds();
        printf("%f", end - start);
        kmod_list_foreach(entry, found)
        {
            struct kmod_module *module = kmod_module_get_module(entry);
            printf(" %s", kmod_module_get_name(module));
            kmod_module_unref(module);
        }
        printf("\n");
        kmod_module_unref_list(found);
        kmod_unref(context);
    }
    return 0;
}
