/* Engine seda: a staged event-driven architecture (Welsh, Culler and Brewer, SEDA, SOSP 2001).
 *
 * What a request needs is cut into stages. Each has a queue, threads of its own and a handler, and
 * is controlled by what is measured of it (stage.h):
 *
 *   accept ---> parse ---> handle ---> write ---> (the connection waits for its client again)
 *                 |          |  ^
 *                 |          |  +-- given back by work, or by any other thread
 *                 |          +----> work
 *                 +--> what needs no handler is sent at once: refusals, ready pages, handshakes
 *
 *   accept   takes connections in and waits for all of them: the rota's one thread (rota.h)
 *   parse    reads, deciphers, makes requests of bytes; app->accept
 *   handle   app->handle, and the steps of what had been waiting (exchange_continue)
 *   work     what may block: app->work, exchange_offload
 *   write    sends; what is not in memory of a file
 *   disk     reads first (residency.h)
 *
 * A connection is in one stage's queue at a time, and its requests with it: so all that the app may
 * do on "its own thread" holds, though that is another one in each stage. What is in work is the
 * helper's, as in every engine. Connections can wait nowhere in greater number than there are;
 * exchanges for work no more than config.helper_queue.
 *
 * With config.admission_ms no more is let in than is answered in time (intake.h); who is refused is
 * answered by parse, and costs no more than that.
 *
 * Good for: load beyond what there is capacity for: queues are seen, so that one can say what is
 * slow, give it threads, and refuse in time. A slow disk holds up the disk's stage and nothing
 * else. Limits: three hand-overs for each request, each a lock and perhaps a wake-up, and data that
 * change processors; its latency at low load is the worst of all, but for a connection's first
 * request on fork. That is what made its author doubt its stages later, and keep its admission
 * control.
 *
 * HTTP/2: the streams of a connection are handled one after the other, but for work.
 */
#ifndef STOA_ENGINE_SEDA_H
#define STOA_ENGINE_SEDA_H

#include "engine/engine.h"

extern const struct engine_kind engine_seda;

#endif
