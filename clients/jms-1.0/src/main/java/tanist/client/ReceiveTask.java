package tanist.client;

import jakarta.jms.JMSException;
import jakarta.jms.Message;
import jakarta.jms.MessageConsumer;
import jakarta.jms.Session;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.qpid.jms.JmsSession;
import org.apache.qpid.jms.policy.JmsDefaultPrefetchPolicy;
import org.json.JSONObject;

/** Receives with CLIENT_ACKNOWLEDGE or in transactions: both {@code receive} and {@code drain}. */
final class ReceiveTask extends Tasks.Task {
    private static final long POLL_MS = 100;

    /** A message waits at most so long for its acknowledgement when no other comes. */
    private static final long ACK_MS = 20;

    /** What a {@code settle} may ask for, in the numbers of the library's JMS_AMQP_ACK_TYPE. */
    private static final List<String> OUTCOMES = List.of("", "accept", "reject", "release", "modify");

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

    private final List<Taken> unacked = new ArrayList<>(); // guarded by itself
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
        int mode = transacted ? Session.SESSION_TRANSACTED : Session.CLIENT_ACKNOWLEDGE;
        session = link.connection().createSession(mode);
        // What is held needs no successor: without prefetch each call of receive asks for one message.
        ((JmsDefaultPrefetchPolicy) ((JmsSession) session).getPrefetchPolicy()).setAll(hold ? 0 : prefetch);
        MessageConsumer consumer = consumer();
        String reason = hold ? hold(consumer) : receive(consumer);
        acknowledge();
        if (!closing && !link.isDead()) {
            consumer.close();
            session.close();
        }
        return reason;
    }

    @Override
    long doubt(String reason) {
        settle(); // these come again
        return 0;
    }

    private MessageConsumer consumer() throws JMSException {
        if (!subscription.isEmpty()) {
            return session.createDurableConsumer(session.createTopic(queue), subscription, selector, false);
        }
        return session.createConsumer(topic ? session.createTopic(queue) : session.createQueue(queue), selector);
    }

    private String receive(MessageConsumer consumer) throws JMSException {
        long quietSince = System.nanoTime();
        while (!stopping) {
            if (link.isDead()) {
                throw new JMSException("the connection is closed");
            }
            Message message = consumer.receive(isUnacked(1) ? ACK_MS : POLL_MS);
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

    private Message next(MessageConsumer consumer) throws JMSException {
        return consumer.receive(POLL_MS);
    }

    private void give(JSONObject request) throws JMSException {
        String outcome = request.getString("outcome");
        if (transacted) {
            session.rollback();
        } else if (last != null) {
            last.setIntProperty("JMS_AMQP_ACK_TYPE", OUTCOMES.indexOf(outcome));
            last.acknowledge();
        }
        synchronized (unacked) {
            for (Taken taken : unacked) {
                report.message("settled", id, taken.producer(), taken.sn(), Map.of("outcome", outcome));
            }
            unacked.clear();
        }
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
    private String hold(MessageConsumer consumer) throws Exception {
        while (!stopping) {
            if (link.isDead()) {
                throw new JMSException("the connection is closed");
            }
            if (asked != null) {
                give(asked);
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
        synchronized (unacked) {
            unacked.add(taken);
        }
        // JMS counts this delivery as well, AMQP those before it.
        int before = message.getIntProperty("JMSXDeliveryCount") - 1;
        Map<String, Object> extra = Map.of("redelivered", message.getJMSRedelivered(), "count", before);
        report.message("received", id, taken.producer(), taken.sn(), extra);
        if (!hold && isUnacked(ackEvery)) {
            acknowledge();
        }
    }

    private boolean isUnacked(int messages) {
        synchronized (unacked) {
            return unacked.size() >= messages;
        }
    }

    private void acknowledge() {
        if (hold || !isUnacked(1)) {
            return;
        }
        boolean unknown = true;
        try {
            if (transacted) {
                session.commit();
            } else {
                last.acknowledge();
            }
            unknown = false;
        } catch (JMSException error) { // whatever of this the broker still has comes again
            System.err.println("acknowledge: " + Tasks.describe(error));
        }
        acknowledged(unknown);
    }

    private void acknowledged(boolean unknown) {
        if (hold) { // acknowledged by nobody
            return;
        }
        synchronized (unacked) {
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

    @Override
    void settle() {
        acknowledged(true);
    }
}
