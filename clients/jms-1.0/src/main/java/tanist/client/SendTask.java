package tanist.client;

import jakarta.jms.CompletionListener;
import jakarta.jms.DeliveryMode;
import jakarta.jms.JMSException;
import jakarta.jms.Message;
import jakarta.jms.MessageProducer;
import jakarta.jms.Session;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import org.json.JSONObject;

/**
 * Sends. The library keeps what has no outcome and sends it again after a failover, so a number is
 * handed over once, and once more only if the library gave its connection up.
 *
 * <p>Each send waits for its outcome, through failovers, whatever the window; so there is at most one
 * message in doubt. With {@code jms.forceAsyncSend=true} the window counts; but when the connection is lost
 * the library reports every open send as failed, and sends it again all the same: {@code info}.
 */
final class SendTask extends Tasks.Task {
    private static final int BLOCK = 100; // messages announced at once; the protocol's limit
    private static final long POLL_MS = 50;

    /** Patience with the library, which marks a producer closed a little after its sends have failed. */
    private static final long CLOSED_MS = 100;

    private final String producer;
    private final long first;
    private final long total;
    private final double rate;
    private final int window;
    private final int bodyBytes;
    private final boolean durable;
    private final int kinds;
    private final long delayMs;

    private final Set<Long> open = new LinkedHashSet<>(); // handed over, without an outcome; guarded by itself
    private final Deque<Long> again = new ArrayDeque<>(); // of these, to be handed over once more; guarded by open
    private final Set<Long> doubted = new LinkedHashSet<>(); // reported as info; guarded by open
    private volatile long handed; // of those announced, given to the library once at least
    private volatile long settled;
    private long started;
    private MessageProducer sender;
    private Session session;

    SendTask(Tasks tasks, JSONObject request) {
        super(tasks, request);
        producer = request.getString("producer");
        first = request.getLong("first_sn");
        total = request.getLong("count");
        rate = request.optDouble("rate_per_s", 0);
        window = Math.max(1, request.optInt("window", 100));
        bodyBytes = request.optInt("body_bytes", 100);
        durable = request.optBoolean("durable", false);
        kinds = request.optInt("kinds", 0);
        delayMs = request.optLong("delay_ms", 0);
    }

    @Override
    String work() throws Exception {
        session = link.connection().createSession(false, Session.AUTO_ACKNOWLEDGE);
        sender = session.createProducer(topic ? session.createTopic(queue) : session.createQueue(queue));
        sender.setDeliveryMode(durable ? DeliveryMode.PERSISTENT : DeliveryMode.NON_PERSISTENT);
        sender.setDeliveryDelay(delayMs);
        if (started == 0) {
            started = System.nanoTime();
        }
        while (!closing) {
            Long repeated = nextAgain();
            if (repeated != null) {
                handOver(repeated);
            } else if (stopping || isAllAnnounced() && handed == count) {
                break;
            } else if (awaitWindow() && (handed < count || announce())) {
                handOver(first + handed++);
            }
        }
        awaitOutcomes();
        if (!closing) {
            session.close();
        }
        return isAllAnnounced() ? "count" : "stopped";
    }

    @Override
    long progress() {
        return settled;
    }

    private boolean isAllAnnounced() {
        return total > 0 && count >= total;
    }

    private Long nextAgain() {
        synchronized (open) {
            return again.poll();
        }
    }

    /** False if the window is still full after a little while. */
    private boolean awaitWindow() throws JMSException, InterruptedException {
        if (link.isDead()) {
            throw new JMSException("the connection is closed");
        }
        synchronized (open) {
            if (open.size() >= window) {
                open.wait(POLL_MS);
            }
            return open.size() < window;
        }
    }

    private void awaitOutcomes() throws JMSException, InterruptedException {
        synchronized (open) {
            while (!open.isEmpty() && !closing) {
                if (link.isDead()) {
                    throw new JMSException("the connection is closed");
                }
                open.wait(POLL_MS);
            }
        }
    }

    /** Announces the next messages; waits a moment and returns false if none is due. */
    private boolean announce() throws InterruptedException {
        long block = Math.min(BLOCK, window);
        if (total > 0) {
            block = Math.min(block, total - count);
        }
        if (rate > 0) {
            double seconds = (System.nanoTime() - started) / 1e9;
            block = Math.min(block, (long) (seconds * rate) + 1 - count);
        }
        if (block <= 0) {
            Thread.sleep(2);
            return false;
        }
        long sn = first + count;
        count += block;
        report.invoke(id, producer, sn, sn + block - 1);
        return true;
    }

    private void handOver(long sn) throws JMSException, InterruptedException {
        synchronized (open) {
            open.add(sn);
        }
        Message message = message(sn);
        try {
            if (link.settings().async()) {
                sender.send(message, new Outcome(sn));
            } else {
                sender.send(message);
                outcome("ok", sn, Map.of());
            }
        } catch (JMSException error) {
            if (closing || link.isDead() || isClosed()) {
                throw error;
            }
            outcome("info", sn, Map.of("reason", Tasks.describe(error)));
        }
    }

    /** True if the broker or the library has closed the producer. */
    private boolean isClosed() throws InterruptedException {
        long deadline = System.nanoTime() + CLOSED_MS * 1_000_000;
        while (System.nanoTime() < deadline) {
            try {
                sender.getDeliveryMode();
            } catch (JMSException closed) {
                return true;
            }
            Thread.sleep(CLOSED_MS / 10);
        }
        return false;
    }

    private final class Outcome implements CompletionListener {
        private final long sn;

        Outcome(long sn) {
            this.sn = sn;
        }

        @Override
        public void onCompletion(Message message) {
            outcome("ok", sn, Map.of());
        }

        @Override
        public void onException(Message message, Exception error) {
            if (!link.isDead()) { // else the task hands it over once more, or ends
                outcome("info", sn, Map.of("reason", Tasks.describe(error)));
            }
        }
    }

    /** Reports the outcome of one message, unless it has one. */
    private void outcome(String type, long sn, Map<String, Object> extra) {
        synchronized (open) {
            if (open.remove(sn)) {
                doubted.remove(sn);
                report.message(type, id, producer, sn, extra);
                settled++;
                open.notifyAll();
            }
        }
    }

    private Message message(long sn) throws JMSException {
        StringBuilder body = new StringBuilder(bodyBytes + 32);
        body.append(producer).append(':').append(sn).append(':');
        while (body.length() < bodyBytes) {
            body.append('x');
        }
        Message message = session.createTextMessage(body.toString());
        message.setStringProperty("producer", producer);
        message.setLongProperty("sn", sn);
        if (kinds > 0) {
            message.setIntProperty("kind", (int) (sn % kinds));
        }
        return message;
    }

    @Override
    long doubt(String reason) {
        synchronized (open) {
            reportDoubt(reason);
            again.clear();
            again.addAll(open);
            return again.size();
        }
    }

    private void reportDoubt(String reason) {
        for (long sn : open) {
            if (doubted.add(sn)) {
                report.message("info", id, producer, sn, Map.of("reason", reason));
            }
        }
    }

    @Override
    void settle() {
        synchronized (open) {
            reportDoubt("not acknowledged");
            open.clear();
            for (long sn = first + handed; sn < first + count; sn++) {
                report.message("fail", id, producer, sn, Map.of("reason", "not sent"));
            }
        }
    }
}
