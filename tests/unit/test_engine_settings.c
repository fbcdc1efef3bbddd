#include "engine/settings.h"
#include "net/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h> /* last: it has a macro named fail */

static void zeroes_become_defaults_and_bounds_are_kept(void **state)
{
    (void)state;
    struct engine_config config = {0};
    engine_settings_fill(&config);
    assert_true(config.loops >= 1);
    assert_int_equal(config.helpers, 2);
    assert_int_equal(config.helper_queue, 1024);
    assert_int_equal(config.stop_grace_ms, 10000);
    assert_true(config.connections_max > 0);
    unsigned most = config.connections_max;
    config.connections_max = 4000000000u;
    engine_settings_fill(&config);
    assert_int_equal(config.connections_max, most);
    config.app_files = 100;
    engine_settings_fill(&config);
    assert_int_equal(config.connections_max, most - 100);
}

static void sockets_are_opened_all_or_none(void **state)
{
    (void)state;
    struct engine_config config = {.listen_count = 2, .listen = {{"127.0.0.1:0"}, {"[::1]:0"}}};
    struct engine_sockets sockets;
    struct failure failure = {0};
    assert_int_equal(engine_sockets_open(&sockets, &config, 3, NULL), ERR_OK);
    assert_int_not_equal(sockets.ports[0], 0);
    int fd = engine_sockets_take(&sockets, 1, 2);
    assert_true(fd >= 0);
    assert_int_equal(engine_sockets_take(&sockets, 1, 2), -1);
    close(fd);
    engine_sockets_close(&sockets);

    strcpy(config.listen[1].address, "127.0.0.1");
    assert_int_equal(engine_sockets_open(&sockets, &config, 2, &failure), ERR_INVALID);
    assert_non_null(strstr(failure.text, "has no port"));
    config.listen_count = 0;
    assert_int_equal(engine_sockets_open(&sockets, &config, 1, &failure), ERR_INVALID);
}

static void who_is_trusted_is_read_and_is_this_machine_otherwise(void **state)
{
    (void)state;
    struct engine_config config = {0};
    struct network networks[ENGINE_TRUSTED_MAX];
    struct failure failure = {0};
    assert_int_equal(engine_trusted(&config, networks, NULL), 2);
    assert_true(network_has_text(networks, 2, STR("127.0.0.1")));
    assert_true(network_has_text(networks, 2, STR("::1")));
    assert_false(network_has_text(networks, 2, STR("192.0.2.1")));
    config.trusted_count = 1;
    strcpy(config.trusted[0], "192.0.2.0/24");
    assert_int_equal(engine_trusted(&config, networks, NULL), 1);
    assert_true(network_has_text(networks, 1, STR("192.0.2.1")));
    assert_false(network_has_text(networks, 1, STR("127.0.0.1")));
    strcpy(config.trusted[0], "everybody");
    assert_int_equal(engine_trusted(&config, networks, &failure), -1);
    assert_non_null(strstr(failure.text, "everybody"));
    config.trusted_count = ENGINE_TRUSTED_MAX + 1;
    assert_int_equal(engine_trusted(&config, networks, &failure), -1);
}

static void tls_is_made_only_when_something_listens_with_it(void **state)
{
    (void)state;
    struct engine_config config = {.listen_count = 1, .listen = {{"127.0.0.1:0"}}};
    struct tls_context *context;
    struct failure failure = {0};
    assert_int_equal(engine_tls(&config, &context, NULL), ERR_OK);
    assert_null(context);
    config.listen[0].tls = true;
    strcpy(config.certificate, "/nowhere/cert.pem");
    assert_int_equal(engine_tls(&config, &context, &failure), ERR_INVALID);
    assert_non_null(strstr(failure.text, "the key is not set"));
    strcpy(config.key, "/nowhere/key.pem");
    assert_int_equal(engine_tls(&config, &context, &failure), ERR_NOTFOUND);
    assert_non_null(strstr(failure.text, "/nowhere/cert.pem"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeroes_become_defaults_and_bounds_are_kept),
        cmocka_unit_test(sockets_are_opened_all_or_none),
        cmocka_unit_test(who_is_trusted_is_read_and_is_this_machine_otherwise),
        cmocka_unit_test(tls_is_made_only_when_something_listens_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
