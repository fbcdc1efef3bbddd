#include "outside/sandbox_keys.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/random.h"

#include <pthread.h>
#include <stdlib.h>

enum { BUCKETS = 1024 };

struct sandbox_keys {
    pthread_mutex_t mutex; /* guards the buckets */
    struct hash_key hash;
    struct list buckets[BUCKETS];
};

struct sandbox_keys *sandbox_keys_new(void)
{
    struct sandbox_keys *keys = calloc(1, sizeof *keys);
    if (!keys)
        return NULL;
    pthread_mutex_init(&keys->mutex, NULL);
    random_secret(&keys->hash, sizeof keys->hash);
    for (int i = 0; i < BUCKETS; i++)
        list_init(&keys->buckets[i]);
    return keys;
}

void sandbox_keys_free(struct sandbox_keys *keys)
{
    if (!keys)
        return;
    pthread_mutex_destroy(&keys->mutex);
    free(keys);
}

bool sandbox_keys_enter(struct sandbox_keys *keys, struct sandbox_key *key)
{
    struct list *bucket = &keys->buckets[hash_fast(keys->hash, key->key) % BUCKETS];
    bool is_new = true;
    list_init(&key->link);
    pthread_mutex_lock(&keys->mutex);
    LIST_EACH(bucket, node)
    {
        if (str_eq(CONTAINER_OF(node, struct sandbox_key, link)->key, key->key))
            is_new = false;
    }
    if (is_new)
        list_append(bucket, &key->link);
    pthread_mutex_unlock(&keys->mutex);
    return is_new;
}

void sandbox_keys_leave(struct sandbox_keys *keys, struct sandbox_key *key)
{
    pthread_mutex_lock(&keys->mutex);
    list_remove(&key->link);
    pthread_mutex_unlock(&keys->mutex);
}
