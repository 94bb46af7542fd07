/*
 * libkmod: a context, its resources and one lookup, as often as asked; prints the microseconds of CPU time of
 * each round and the names, one round a line. The prototypes are written out so that the library alone is
 * needed, not its development package.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct kmod_ctx;
struct kmod_list;
struct kmod_module;

struct kmod_ctx *kmod_new(const char *directory, const char *const *configuration_paths);
struct kmod_ctx *kmod_unref(struct kmod_ctx *context);
int kmod_load_resources(struct kmod_ctx *context);
int kmod_module_new_from_lookup(struct kmod_ctx *context, const char *alias, struct kmod_list **list);
struct kmod_list *kmod_list_next(const struct kmod_list *list, const struct kmod_list *current);
struct kmod_module *kmod_module_get_module(const struct kmod_list *entry);
const char *kmod_module_get_name(const struct kmod_module *module);
struct kmod_module *kmod_module_unref(struct kmod_module *module);
int kmod_module_unref_list(struct kmod_list *list);

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
        struct kmod_list *found = NULL;
        double start = cpu_microseconds(), end;
        struct kmod_ctx *context = kmod_new(argv[1], NULL);

        if (context == NULL || kmod_load_resources(context) < 0 ||
            kmod_module_new_from_lookup(context, argv[2], &found) < 0)
            return 1;
        end = cpu_microseconds();
        printf("%f", end - start);
        for (struct kmod_list *entry = found; entry != NULL; entry = kmod_list_next(found, entry)) {
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
