package tanist.client;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import javax.jms.Destination;
import javax.jms.JMSException;
import javax.jms.Session;
import javax.jms.Topic;
import org.apache.qpid.client.AMQConnection;
import org.json.JSONObject;

/** The running tasks, and what all of them share. */
final class Tasks {
    /** Connections in a row that brought a task no further: then it is our own mistake. */
    private static final int FAILURES_MAX = 20;

    /** One task: one thread and one JMS session. */
    abstract static class Task extends Thread {
        final Reporter report;
        final Link link;
        final long id;
        final String queue;
        final boolean topic; // it names one, no queue
        volatile boolean stopping;
        volatile boolean closing;
        volatile long count;
        private final AtomicBoolean ended = new AtomicBoolean();
        private final Map<Long, Task> running;

        Task(Tasks tasks, JSONObject request) {
            super(request.getString("type") + "-" + request.getLong("id"));
            setDaemon(true);
            report = tasks.report;
            link = tasks.link;
            running = tasks.running;
            id = request.getLong("id");
            queue = request.getString("queue");
            topic = request.optBoolean("topic", false);
        }

        /** Does the work with the present connection; returns the reason of its end. */
        abstract String work() throws Exception;

        /** Grows with what was done. */
        long progress() {
            return count;
        }

        /** The connection is gone for good: prepares to go on; how many messages are sent again. */
        abstract long doubt(String reason);

        /** Works with one connection after the other; throws when that leads nowhere. */
        private String carryOut() throws Exception {
            int failures = 0;
            while (true) {
                AMQConnection connection = link.connection();
                long before = progress();
                try {
                    return work();
                } catch (Exception error) {
                    if (closing) {
                        return "stopped";
                    }
                    failures = progress() == before ? failures + 1 : 0;
                    if (!link.mayReopen() || failures >= FAILURES_MAX) {
                        throw error;
                    }
                    String reason = describe(error);
                    long inDoubt = doubt(reason);
                    link.reopen(connection, reason);
                    report.event("reopened", "task", id, "reason", reason, "in_doubt", inDoubt);
                }
            }
        }

        /** Reports the outcome of what has none. */
        void settle() {}

        @Override
        public void run() {
            String reason;
            try {
                reason = carryOut();
            } catch (Exception error) {
                report.error(id, true, describe(error));
                reason = "error";
            }
            end(reason);
        }

        /** Reports what is open and the end, once. */
        final void end(String reason) {
            if (ended.compareAndSet(false, true)) {
                settle();
                report.event("ended", "task", id, "reason", reason, "count", count);
                running.remove(id);
            }
        }
    }

    private final Reporter report;
    private final Link link;
    private final Map<Long, Task> running = new ConcurrentHashMap<>();

    Tasks(Reporter report, Link link) {
        this.report = report;
        this.link = link;
    }

    /** Begins the task of a {@code send}, {@code receive} or {@code drain} and answers it. */
    void begin(JSONObject request) {
        link.connection();
        Task task = task(request);
        running.put(task.id, task);
        report.reply("done", task.id);
        task.start();
    }

    private Task task(JSONObject request) {
        if (!request.getString("type").equals("send")) {
            return new ReceiveTask(this, request);
        }
        boolean transacted = request.optInt("transaction", 0) > 0;
        return transacted ? new TransactedSendTask(this, request) : new SendTask(this, request);
    }

    /** Gives what a task holds an outcome; the task answers. */
    void settle(JSONObject request) {
        if (!(running.get(request.getLong("task")) instanceof ReceiveTask task) || !task.holds()) {
            throw new IllegalArgumentException("no such task that holds messages");
        }
        task.settle(request);
    }

    void stop(long number) {
        for (Task task : running.values()) {
            if (number == 0 || number == task.id) {
                task.stopping = true;
            }
        }
    }

    /** Ends every task, at the latest after {@code ms}; returns those that did not end by themselves. */
    void close(long ms) throws InterruptedException {
        long deadline = System.nanoTime() + ms * 1_000_000;
        for (Task task : running.values()) {
            task.closing = true;
            task.stopping = true;
        }
        for (Task task : running.values()) {
            task.join(Math.max(1, (deadline - System.nanoTime()) / 1_000_000));
            task.end("stopped");
        }
    }

    /** Creates the queue if it is missing. */
    static void declare(Link link, String queue, boolean durable) throws JMSException {
        Session session = link.connection().createSession(false, Session.AUTO_ACKNOWLEDGE);
        try {
            String options = "{create: always, node: {type: queue, durable: " + durable + "}}";
            session.createProducer(destination(session, queue, options)).close();
        } finally {
            session.close();
        }
    }

    /** The topic that is an exchange of this name. */
    static Topic topic(Session session, String exchange) throws JMSException {
        return session.createTopic("ADDR:'" + exchange + "'; {node: {type: topic}}");
    }

    /** The plain queue, reached through the default exchange. */
    static Destination destination(Session session, String queue, String options)
            throws JMSException {
        String name = queue;
        if (!name.matches("[A-Za-z_][A-Za-z0-9_]*")) {
            name = "'" + name.replace("\\", "\\\\").replace("'", "\\'") + "'";
        }
        return session.createQueue("ADDR:" + name + "; " + options);
    }

    /** One line for a human, with the first cause. */
    static String describe(Throwable error) {
        StringBuilder text = new StringBuilder();
        for (Throwable cause = error; cause != null; cause = cause.getCause()) {
            if (text.length() > 0) {
                text.append(" <- ");
            }
            text.append(cause.getClass().getSimpleName()).append(": ").append(cause.getMessage());
        }
        return text.toString().replace('\n', ' ');
    }
}
