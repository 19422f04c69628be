package tanist.client;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.Session;
import org.json.JSONObject;

/** Receives with CLIENT_ACKNOWLEDGE or in transactions: both {@code receive} and {@code drain}. */
final class ReceiveTask extends Tasks.Task {
    private static final long POLL_MS = 100;

    /** A message waits at most so long for its acknowledgement when no other comes. */
    private static final long ACK_MS = 20;

    /** What a {@code settle} may ask for: the library rejects nothing, and releases only by recovering. */
    private static final List<String> OUTCOMES = List.of("accept", "modify");

    private record Taken(String producer, long sn) {}

    private final int prefetch;
    private final int ackEvery;
    private final long limit;
    private final boolean drain;
    private final boolean hold;
    private final boolean transacted;
    private final double idle;
    private final String selector; // null: everything
    private final String subscription; // empty: none that is durable

    private final List<Taken> unacked = new ArrayList<>();
    private Message last;
    private volatile JSONObject asked; // to settle what is held
    private Session session;
    private int transaction = 1; // the number of the open one

    ReceiveTask(Tasks tasks, JSONObject request) {
        super(tasks, request);
        prefetch = Math.max(1, request.optInt("prefetch", 100));
        // Credit comes back with the acknowledgement: without one before the last of it, nothing moves.
        int half = Math.max(1, prefetch / 2);
        ackEvery = Math.min(half, Math.max(1, request.optInt("ack_every", 1)));
        limit = request.optLong("count", 0);
        drain = request.getString("type").equals("drain");
        hold = request.optBoolean("hold", false);
        transacted = request.optBoolean("transaction", false);
        selector = request.optString("selector", "").isEmpty() ? null : request.getString("selector");
        subscription = request.optString("subscription", "");
        idle = request.optDouble(drain ? "empty_s" : "idle_s", 0);
    }

    @Override
    String work() throws Exception {
        while (true) {
            try {
                return workOn(open());
            } catch (javax.jms.IllegalStateException closed) {
                // An interrupted commit makes the library close the session.
                if (!transacted || hold || closing || link.isDead()) {
                    throw closed;
                }
                acked(true);
                while (!link.awaitConnected(POLL_MS) && !closing && !link.isDead()) {}
            }
        }
    }

    private MessageConsumer open() throws Exception {
        int mode = transacted ? Session.SESSION_TRANSACTED : Session.CLIENT_ACKNOWLEDGE;
        int buffered = hold ? 0 : prefetch; // what is held needs no successor
        session = link.connection().createSession(transacted, mode, buffered, buffered);
        if (!subscription.isEmpty()) {
            return session.createDurableSubscriber(Tasks.topic(session, queue), subscription);
        }
        if (topic) {
            return session.createConsumer(Tasks.topic(session, queue));
        }
        return session.createConsumer(Tasks.destination(session, queue, "{node: {type: queue}}"), selector);
    }

    private String workOn(MessageConsumer consumer) throws Exception {
        String reason = hold ? hold(session, consumer) : receive(consumer);
        acknowledge();
        if (!closing && !link.isDead()) {
            consumer.close();
            session.close();
        }
        return reason;
    }

    @Override
    long doubt(String reason) {
        unacked.clear(); // these come again
        return 0;
    }

    private String receive(MessageConsumer consumer) throws JMSException {
        long quietSince = System.nanoTime();
        while (!stopping) {
            if (link.isDead()) {
                throw new JMSException("the connection is closed");
            }
            if (!link.awaitConnected(POLL_MS)) {
                continue;
            }
            Message message = next(consumer);
            long now = System.nanoTime();
            if (message != null) {
                take(message);
                quietSince = now;
                if (limit > 0 && count >= limit) {
                    return "count";
                }
                continue;
            }
            acknowledge();
            if (drain) {
                quietSince = Math.max(quietSince, link.connectedSince(now));
            }
            if (idle > 0 && now - quietSince >= idle * 1e9) {
                return drain ? "empty" : "idle";
            }
        }
        return "stopped";
    }

    /** The next message; null if none came, or a failover interrupted the waiting. */
    private Message next(MessageConsumer consumer) throws JMSException {
        try {
            return consumer.receive(unacked.isEmpty() ? POLL_MS : ACK_MS);
        } catch (RuntimeException | JMSException error) {
            if (stopping || link.isDead() || error instanceof javax.jms.IllegalStateException) {
                throw error;
            }
            if (link.staysConnected(POLL_MS)) { // else a failover interrupted it, which `disconnected` has told
                report.error(id, false, Tasks.describe(error));
            }
            return null;
        }
    }

    private void give(Session session, JSONObject request) throws JMSException {
        String outcome = request.getString("outcome");
        if (transacted) {
            session.rollback();
        } else if (outcome.equals("modify")) {
            session.recover();
        } else if (last != null) {
            last.acknowledge();
        }
        for (Taken taken : unacked) {
            report.message("settled", id, taken.producer(), taken.sn(), Map.of("outcome", outcome));
        }
        unacked.clear();
        report.reply("done", request.getLong("id"));
    }

    boolean holds() {
        return hold;
    }

    /** Gives what is held the outcome of the request, in the task's own thread, which answers it. */
    void settle(JSONObject request) {
        String outcome = request.getString("outcome");
        if (transacted != outcome.equals("rollback") || !transacted && !OUTCOMES.contains(outcome)) {
            report.reply("unsupported", request.getLong("id"), "request", "settle", "reason", outcome + " of this task");
        } else {
            asked = request;
        }
    }

    /** Takes so many messages, and keeps them until they get an outcome. */
    private String hold(Session session, MessageConsumer consumer) throws Exception {
        while (!stopping) {
            if (link.isDead()) {
                throw new JMSException("the connection is closed");
            }
            if (asked != null) {
                give(session, asked);
                asked = null;
            } else if (count < limit) {
                Message message = next(consumer);
                if (message != null) {
                    take(message);
                }
            } else {
                Thread.sleep(POLL_MS / 5);
            }
        }
        return "stopped";
    }

    private void take(Message message) throws JMSException {
        last = message;
        if (!message.propertyExists("producer") || !message.propertyExists("sn")) {
            report.error(id, false, "IllegalArgumentException: a message without producer and sn");
            message.acknowledge();
            return;
        }
        Taken taken = new Taken(message.getStringProperty("producer"), message.getLongProperty("sn"));
        count++;
        unacked.add(taken);
        Map<String, Object> extra = new HashMap<>();
        extra.put("redelivered", message.getJMSRedelivered());
        extra.put("count", JSONObject.NULL);
        report.message("received", id, taken.producer(), taken.sn(), extra);
        if (!hold && unacked.size() >= ackEvery) {
            acknowledge();
        }
    }

    private void acknowledge() {
        if (hold || unacked.isEmpty()) {
            return;
        }
        while (!link.awaitConnected(POLL_MS) && !closing && !link.isDead()) {}
        boolean unknown = true;
        try {
            if (transacted) {
                session.commit();
            } else {
                last.acknowledge();
            }
            unknown = false;
        } catch (RuntimeException | JMSException error) {
            // During a failover, or the first time after one ("has failed over": the library then recovers
            // the session by itself). Whatever of this the broker still has comes again.
            System.err.println("acknowledge: " + Tasks.describe(error));
        }
        acked(unknown);
    }

    /** Reports what was received last as acknowledged. */
    private void acked(boolean unknown) {
        Map<String, Object> extra = Map.of("unknown", unknown, "transaction", transacted ? transaction : 0);
        for (Taken taken : unacked) {
            report.message("acked", id, taken.producer(), taken.sn(), extra);
        }
        if (transacted && !unacked.isEmpty()) {
            transaction++;
            report.flush(); // no line spans the end of a transaction
        }
        unacked.clear();
    }
}
