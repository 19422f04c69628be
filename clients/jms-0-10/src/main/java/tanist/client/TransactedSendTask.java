package tanist.client;

import javax.jms.DeliveryMode;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageProducer;
import javax.jms.Session;
import java.util.Map;
import org.json.JSONObject;

/**
 * Sends in local transactions, one after the other.
 *
 * <p>The library does not carry a transaction over a failover. Where the loss was told before the commit,
 * that is not asked for; a commit that was, and threw, is in doubt.
 */
final class TransactedSendTask extends Tasks.Task {
    /** Transactions in a row that came to nothing: then it is our own mistake. */
    private static final int FAILURES_MAX = 100;
    private static final long POLL_MS = 50;

    private final JSONObject request;
    private final String producer;
    private final long first;
    private final long total;
    private final double rate;
    private final int size;
    private final int rollbackEvery;

    private final long started = System.nanoTime();
    private Session session;
    private MessageProducer sender;
    private int transactions;
    private int failures;
    private long settled; // of those announced; the rest is the open transaction
    private boolean committing;

    TransactedSendTask(Tasks tasks, JSONObject request) {
        super(tasks, request);
        this.request = request;
        producer = request.getString("producer");
        first = request.getLong("first_sn");
        total = request.getLong("count");
        rate = request.optDouble("rate_per_s", 0);
        size = request.getInt("transaction");
        rollbackEvery = request.optInt("rollback_every", 0);
    }

    @Override
    String work() throws Exception {
        while (!stopping && !(total > 0 && count >= total)) {
            if (!link.awaitConnected(POLL_MS)) {
                continue;
            }
            try {
                if (session == null) {
                    open();
                }
                announce();
                handOver();
                discharge();
                failures = 0;
            } catch (JMSException error) {
                outcome(committing ? "info" : "fail", Tasks.describe(error));
                if (closing || link.isDead() || ++failures >= FAILURES_MAX) {
                    throw error;
                }
                abandon();
                Thread.sleep(POLL_MS);
            }
        }
        if (!closing && !link.isDead()) {
            abandon();
        }
        return stopping ? "stopped" : "count";
    }

    private void open() throws JMSException {
        session = link.connection().createSession(true, Session.SESSION_TRANSACTED);
        sender = session.createProducer(Tasks.destination(session, queue, "{node: {type: queue}}"));
        boolean durable = request.optBoolean("durable", false);
        sender.setDeliveryMode(durable ? DeliveryMode.PERSISTENT : DeliveryMode.NON_PERSISTENT);
    }

    /** Closes the session: after a failover it may be of no use, and its transaction is gone. */
    private void abandon() {
        Session given = session;
        session = null;
        try {
            if (given != null) {
                given.close();
            }
        } catch (JMSException error) {
            System.err.println("close: " + Tasks.describe(error));
        }
    }

    @Override
    long progress() {
        return settled;
    }

    private void announce() {
        long block = total > 0 ? Math.min(size, total - count) : size;
        long sn = first + count;
        transactions++;
        committing = false;
        count += block;
        report.invoke(id, producer, sn, sn + block - 1);
    }

    /** Gives the messages of the open transaction to the library, each when it is due. */
    private void handOver() throws JMSException, InterruptedException {
        long began = System.nanoTime();
        for (long number = settled; number < count; number++) {
            if (rate > 0) {
                long due = started + (long) (number / rate * 1e9);
                Thread.sleep(Math.max(0, (due - System.nanoTime()) / 1_000_000));
            }
            sender.send(message(first + number));
        }
        if (link.connectedSince(System.nanoTime()) > began) {
            throw new JMSException("the connection was lost");
        }
    }

    private void discharge() throws JMSException {
        if (rollbackEvery > 0 && transactions % rollbackEvery == 0) {
            session.rollback();
            outcome("fail", "rolled back");
        } else {
            committing = true;
            session.commit();
            outcome("ok", "");
        }
    }

    private Message message(long sn) throws JMSException {
        StringBuilder body = new StringBuilder(producer + ':' + sn + ':');
        int wanted = request.optInt("body_bytes", 100);
        body.append("x".repeat(Math.max(0, wanted - body.length())));
        Message message = session.createTextMessage(body.toString());
        message.setStringProperty("producer", producer);
        message.setLongProperty("sn", sn);
        return message;
    }

    /** Reports the outcome of the open transaction, if there is one. */
    private synchronized void outcome(String type, String reason) {
        Map<String, Object> extra = reason.isEmpty() ? Map.of() : Map.of("reason", reason);
        for (; settled < count; settled++) {
            report.message(type, id, producer, first + settled, extra);
        }
    }

    @Override
    long doubt(String reason) {
        settle();
        return 0;
    }

    @Override
    void settle() {
        outcome(committing ? "info" : "fail", "the transaction was not finished");
    }
}
