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
 * failover, so a number is handed over once, with two exceptions: a send that the failover
 * interrupted "before being sent" is surely not kept, and is repeated here; and what was not
 * acknowledged when the library gave its connection up is handed over to the next one.
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
    private final int kinds;

    private final Deque<Sent> outstanding = new ArrayDeque<>(); // guarded by itself
    private final Deque<Long> again = new ArrayDeque<>(); // to be sent again; guarded by outstanding
    private volatile long handed; // of those announced, given to the library once at least
    private volatile long sending = -1; // the one that is inside the library's send
    private volatile long settled;
    private long started;
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
        kinds = request.optInt("kinds", 0);
    }

    @Override
    String work() throws Exception {
        session = link.connection().createSession(false, Session.AUTO_ACKNOWLEDGE);
        sender = session.createProducer(topic ? Tasks.topic(session, queue) : Tasks.destination(session, queue, "{node: {type: queue}}"));
        sender.setDeliveryMode(durable ? DeliveryMode.PERSISTENT : DeliveryMode.NON_PERSISTENT);
        completions = new Completions(session);
        if (started == 0) {
            started = System.nanoTime();
        }
        while (!stopping && !(isAllAnnounced() && handed == count && again.isEmpty())) {
            if (!again.isEmpty()) {
                handOver(again.peek(), true);
            } else if (handed < count || announce()) {
                handOver(first + handed, false);
            } else {
                acknowledged(1);
            }
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
        return isAllAnnounced() ? "count" : "stopped";
    }

    @Override
    long progress() {
        return settled;
    }

    private boolean isAllAnnounced() {
        return total > 0 && count >= total;
    }

    /** Announces the next messages; false if none is due. */
    private boolean announce() {
        long block = due();
        if (block > 0) {
            long sn = first + count;
            count += block;
            report.invoke(id, producer, sn, sn + block - 1);
        }
        return block > 0;
    }

    /** How many messages to announce now. */
    private long due() {
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

    /** Gives one message to the library, unless told to stop before. */
    private void handOver(long sn, boolean repeated) throws Exception {
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
                sending = sn;
                sender.send(message);
                sent(sn, repeated);
                return;
            } catch (JMSException error) {
                String reason = Tasks.describe(error);
                if (reason.contains(NOT_SENT)) {
                    sending = -1;
                    Thread.sleep(POLL_MS);
                    continue;
                }
                if (link.isDead() || error instanceof javax.jms.IllegalStateException) {
                    throw error;
                }
                report.message("info", id, producer, sn, Map.of("reason", reason));
                passed(repeated);
                return;
            }
        }
    }

    /** The message that was inside the library's send is out of our hands. */
    private void passed(boolean repeated) {
        synchronized (outstanding) {
            if (repeated) {
                again.remove();
            } else {
                handed++;
            }
            sending = -1;
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

    private void sent(long sn, boolean repeated) throws Exception {
        synchronized (outstanding) {
            outstanding.add(new Sent(sn, completions.lastSent()));
            passed(repeated);
        }
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
                settled++;
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
    long doubt(String reason) {
        synchronized (outstanding) {
            reportDoubt(reason);
            Deque<Long> rest = new ArrayDeque<>(again);
            again.clear();
            for (Sent sent : outstanding) {
                again.add(sent.sn());
            }
            outstanding.clear();
            if (sending >= 0 && !rest.contains(sending)) {
                again.add(sending);
                handed++;
            }
            sending = -1;
            again.addAll(rest);
            askedFor = 0;
            return again.size();
        }
    }

    /** Tells that nobody knows whether these were sent: what is not acknowledged, what is inside the send. */
    private void reportDoubt(String reason) {
        Map<String, Object> extra = Map.of("reason", reason);
        for (Sent sent : outstanding) {
            report.message("info", id, producer, sent.sn(), extra);
        }
        if (sending >= 0) {
            report.message("info", id, producer, sending, extra);
        }
    }

    @Override
    void settle() {
        synchronized (outstanding) {
            reportDoubt("not acknowledged");
            long unsent = first + handed;
            if (sending == unsent) {
                unsent++;
            }
            outstanding.clear();
            for (long sn = unsent; sn < first + count; sn++) {
                report.message("fail", id, producer, sn, Map.of("reason", "not sent"));
            }
        }
    }
}
