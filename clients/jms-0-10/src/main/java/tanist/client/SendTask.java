package tanist.client;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import javax.jms.DeliveryMode;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageProducer;
import javax.jms.Session;
import org.json.JSONObject;

/**
 * Sends. The library keeps every transfer until the broker completes it and sends it again after a
 * failover, so a number is handed over once, with one exception: a send that the failover
 * interrupted "before being sent" is surely not kept, and is repeated here.
 */
final class SendTask extends Tasks.Task {
    private static final int BLOCK = 100; // messages announced at once; the protocol's limit
    private static final long POLL_MS = 50;
    private static final String NOT_SENT = "before being sent";

    private record Sent(long sn, int command) {}

    private final String producer;
    private final long first;
    private final long total;
    private final double rate;
    private final int window;
    private final int bodyBytes;
    private final boolean durable;

    private final Deque<Sent> outstanding = new ArrayDeque<>(); // guarded by itself
    private volatile long handed; // given to the library, or in doubt
    private volatile boolean sending; // the next one is inside the library's send
    private Completions completions;
    private MessageProducer sender;
    private Session session;
    private int askedFor; // messages sent since the broker was asked to complete them

    SendTask(Tasks tasks, JSONObject request) {
        super(tasks, request);
        producer = request.getString("producer");
        first = request.getLong("first_sn");
        total = request.getLong("count");
        rate = request.optDouble("rate_per_s", 0);
        window = Math.max(1, request.optInt("window", 100));
        bodyBytes = request.optInt("body_bytes", 100);
        durable = request.optBoolean("durable", false);
    }

    @Override
    String work() throws Exception {
        session = link.connection().createSession(false, Session.AUTO_ACKNOWLEDGE);
        sender = session.createProducer(Tasks.destination(session, queue, "{node: {type: queue}}"));
        sender.setDeliveryMode(durable ? DeliveryMode.PERSISTENT : DeliveryMode.NON_PERSISTENT);
        completions = new Completions(session);
        long started = System.nanoTime();
        while (!stopping && (total == 0 || count < total)) {
            long block = due(started);
            if (block == 0) {
                acknowledged(1);
                continue;
            }
            long sn = first + count;
            count += block;
            report.invoke(id, producer, sn, sn + block - 1);
            for (long end = sn + block; sn < end && handOver(sn); sn++) {}
        }
        while (!isSettled() && !closing && !link.isDead()) {
            if (askedFor > 0) {
                ask();
            }
            acknowledged(POLL_MS);
        }
        if (!closing && !link.isDead()) {
            session.close();
        }
        return total > 0 && count >= total ? "count" : "stopped";
    }

    /** How many messages to announce now. */
    private long due(long started) {
        long block = Math.min(BLOCK, window);
        if (total > 0) {
            block = Math.min(block, total - count);
        }
        if (rate > 0) {
            double seconds = (System.nanoTime() - started) / 1e9;
            block = Math.min(block, (long) (seconds * rate) + 1 - count);
        }
        return Math.max(0, block);
    }

    /** Gives one message to the library; false if told to stop before. */
    private boolean handOver(long sn) throws Exception {
        Message message = message(sn);
        while (!stopping) {
            if (link.isDead()) {
                throw new JMSException("the connection is closed");
            }
            if (unsettled() >= window) {
                acknowledged(POLL_MS);
                continue;
            }
            if (!link.awaitConnected(POLL_MS)) {
                continue;
            }
            try {
                sending = true;
                sender.send(message);
                sent(sn);
                return true;
            } catch (JMSException error) {
                if (Tasks.describe(error).contains(NOT_SENT)) {
                    sending = false;
                    Thread.sleep(POLL_MS);
                    continue;
                }
                handed++;
                sending = false;
                String reason = Tasks.describe(error);
                report.message("info", id, producer, sn, Map.of("reason", reason));
                if (link.isDead() || error instanceof javax.jms.IllegalStateException) {
                    throw error;
                }
                return true;
            }
        }
        return false;
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
        return message;
    }

    private void sent(long sn) throws Exception {
        synchronized (outstanding) {
            outstanding.add(new Sent(sn, completions.lastSent()));
        }
        handed++;
        sending = false;
        askedFor++;
        if (askedFor >= (window + 1) / 2) {
            ask();
        }
        acknowledged(0);
    }

    private void ask() {
        if (!link.awaitConnected(0)) {
            return;
        }
        try {
            completions.ask();
            askedFor = 0;
        } catch (RuntimeException interrupted) {
            // A failover has begun; everything is completed or sent again after it.
        }
    }

    /** Reports what was acknowledged; waits at most {@code ms} if nothing was. */
    private void acknowledged(long ms) throws Exception {
        int mark = completions.completed();
        if (ms > 0 && !isBehind(mark)) {
            mark = completions.await(mark, ms);
        }
        synchronized (outstanding) {
            while (!outstanding.isEmpty() && outstanding.peek().command() - mark <= 0) {
                report.message("ok", id, producer, outstanding.remove().sn(), Map.of());
            }
        }
    }

    private boolean isBehind(int mark) {
        synchronized (outstanding) {
            return !outstanding.isEmpty() && outstanding.peek().command() - mark <= 0;
        }
    }

    private int unsettled() {
        synchronized (outstanding) {
            return outstanding.size();
        }
    }

    private boolean isSettled() {
        return unsettled() == 0;
    }

    @Override
    void settle() {
        synchronized (outstanding) {
            for (Sent sent : outstanding) {
                report.message("info", id, producer, sent.sn(), Map.of("reason", "not acknowledged"));
            }
            outstanding.clear();
        }
        long unsent = first + handed;
        if (sending) {
            report.message("info", id, producer, unsent, Map.of("reason", "interrupted in send"));
            unsent++;
        }
        for (long sn = unsent; sn < first + count; sn++) {
            report.message("fail", id, producer, sn, Map.of("reason", "not sent"));
        }
    }
}
