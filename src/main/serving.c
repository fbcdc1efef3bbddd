#include "main/serving.h"

#include "base/check.h"
#include "main/listening.h"

const struct engine_kind *serving_kind(const struct settings *settings)
{
    const struct engine_kind *kind = engine_find(settings->engine);
    CHECK(kind); /* judged when the settings were read */
    return kind;
}

int serving_engine(const struct settings *settings, const char *dir, const struct log *log,
                   struct engine_config *config, struct failure *failure)
{
    const struct settings *s = settings;
    *config = (struct engine_config){
        .helpers = (unsigned)s->helpers,
        .helper_queue = (unsigned)s->helper_queue,
        .workers = (unsigned)s->workers,
        .admission_ms = (uint32_t)s->admission_ms,
        .io_uring = s->io_uring,
        .stop_grace_ms = s->stop_grace_ms,
        .limits = {.body_bytes = s->body_bytes, .answer_ms = (uint32_t)s->answer_ms},
        .log = log,
    };
    listening_limit(config, &s->limits);
    str_copy(config->certificate, sizeof config->certificate, str_of(s->certificate));
    str_copy(config->key, sizeof config->key, str_of(s->key));
    str_copy(config->state_dir, sizeof config->state_dir, str_of(dir));
    int err = listening_add(config, &s->listen, LISTENING_HTTP, failure);
    return err ? err : listening_add(config, &s->listen_tls, LISTENING_TLS, failure);
}

void serving_pages(const struct settings *settings, struct web_settings *web)
{
    web->base_url = settings->url;
    web->cookie_domain = settings->cookie_domain;
    web->media_dir = settings->media;
    web->upload_max = settings->upload_bytes;
    /* Judged when the settings were read: how many, and each. */
    for (unsigned i = 0; i < settings->trust.count; i++)
        CHECK(network_parse(str_of(settings->trust.items[i]), &web->trusted[i], NULL) == 0);
    web->trusted_count = settings->trust.count;
}
