package tanist.client;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.StringJoiner;
import javax.jms.ExceptionListener;
import javax.jms.JMSException;
import org.apache.qpid.client.AMQConnection;
import org.apache.qpid.client.BrokerDetails;
import org.apache.qpid.jms.ConnectionListener;
import org.json.JSONArray;
import org.json.JSONObject;

/** The connection: its URL, opening it, its ups and downs, and the next one when it is beyond repair. */
final class Link {
    /** Between two attempts; without it a whole list of dead brokers is tried in milliseconds. */
    private static final String CONNECT_DELAY_MS = "100";

    /**
     * The same for {@code failover_exchange}, which makes one more try than there are brokers and
     * then gives up: all of them together must outlast a promotion.
     */
    private static final String EXCHANGE_DELAY_MS = "2000";

    /** Walks through the list before the library gives up; it has no word for "for ever". */
    private static final String CYCLES = "1000000";

    /** At opening a connection anew; each goes on for as long as the library likes. */
    private static final int ATTEMPTS_MAX = 300;
    private static final long ATTEMPT_MS = 200;

    private static final Set<String> CONNECTION_OPTIONS =
            Set.of("maxprefetch", "sync_publish", "sync_ack", "sync_client_ack");
    private static final Set<String> BROKER_OPTIONS =
            Set.of("connectdelay", "connecttimeout", "retries", "sasl_mechs", "tcp_nodelay", "idle_timeout");
    private static final Set<String> FAILOVER_OPTIONS = Set.of("cyclecount");

    /** The option with the library's word for where it looks for the next broker. */
    private static final String METHOD = "failover";

    /** What the library tells of one connection; of one that was replaced nobody wants to hear any more. */
    private final class Watch implements ConnectionListener, ExceptionListener {
        private final AMQConnection watched;

        Watch(AMQConnection watched) {
            this.watched = watched;
        }

        private boolean isCurrent() {
            synchronized (Link.this) {
                return watched == connection;
            }
        }

        @Override
        public boolean preFailover(boolean redirect) {
            if (isCurrent()) {
                lost(redirect ? "redirect" : "preFailover");
            }
            return true;
        }

        @Override
        public boolean preResubscribe() {
            return true;
        }

        @Override
        public void failoverComplete() {
            if (isCurrent()) {
                regained(watched);
            }
        }

        @Override
        public void onException(JMSException error) {
            if (isCurrent()) {
                failed(watched, error);
            }
        }

        @Override
        public void bytesSent(long count) {}

        @Override
        public void bytesReceived(long count) {}
    }

    private final Reporter report;
    private final Object reopening = new Object();
    private AMQConnection connection;
    private String url;
    private boolean mayReopen;
    private boolean dead;
    private long connectedSince = -1; // nanoTime, -1 while there is no connection

    Link(Reporter report) {
        this.report = report;
    }

    /** Opens the connection; blocks until a broker accepts it. */
    void open(String wanted, boolean reopen) throws Exception {
        AMQConnection opened = new AMQConnection(wanted);
        synchronized (this) {
            url = wanted;
            mayReopen = reopen;
            connection = opened;
            dead = false;
            connectedSince = System.nanoTime();
            notifyAll();
        }
        Watch watch = new Watch(opened);
        opened.setConnectionListener(watch);
        opened.setExceptionListener(watch);
        opened.start();
    }

    /** True if the drill wants a connection that is beyond repair to be replaced. */
    synchronized boolean mayReopen() {
        return mayReopen;
    }

    /**
     * Replaces a connection that is beyond repair, unless another task did; blocks until a broker
     * accepts it.
     */
    void reopen(AMQConnection broken, String reason) throws Exception {
        synchronized (reopening) {
            synchronized (this) {
                if (connection != broken) {
                    return;
                }
                dead = true;
            }
            lost(reason);
            Thread closing = new Thread(() -> {
                try {
                    broken.close();
                } catch (Exception error) {
                    System.err.println("close: " + Tasks.describe(error));
                }
            });
            closing.setDaemon(true); // the library may hang in it
            closing.start();
            openAnew();
        }
    }

    private void openAnew() throws Exception {
        for (int attempt = 1; ; attempt++) {
            try {
                open(url, true);
                return;
            } catch (Exception error) {
                System.err.println("open: " + Tasks.describe(error));
                if (attempt == ATTEMPTS_MAX) {
                    throw error;
                }
                Thread.sleep(ATTEMPT_MS);
            }
        }
    }

    synchronized AMQConnection connection() {
        if (connection == null) {
            throw new IllegalStateException("not connected");
        }
        return connection;
    }

    /** True if the library has given the connection up. */
    synchronized boolean isDead() {
        return dead;
    }

    /**
     * Waits at most {@code ms} while the connection is lost; false if it still is then. Sessions must be
     * left alone from the loss until the library has restored them: it numbers a query before it waits
     * for the session, so a command of another thread in between takes the number, the answer is not
     * recognised, and the library hangs in its own failover for a minute.
     */
    synchronized boolean awaitConnected(long ms) {
        return waitFor(true, ms);
    }

    /** False if the connection is lost now or within {@code ms}. */
    synchronized boolean staysConnected(long ms) {
        return !waitFor(false, ms);
    }

    private boolean waitFor(boolean connected, long ms) {
        long deadline = System.nanoTime() + ms * 1_000_000;
        try {
            while (connectedSince >= 0 != connected) {
                long left = (deadline - System.nanoTime()) / 1_000_000;
                if (left <= 0) {
                    return false;
                }
                wait(left);
            }
            return true;
        } catch (InterruptedException end) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    /** When the present connection began; {@code now} while there is none. */
    synchronized long connectedSince(long now) {
        return connectedSince < 0 ? now : connectedSince;
    }

    void close() throws JMSException {
        AMQConnection open;
        synchronized (this) {
            open = connection;
        }
        if (open != null) {
            open.close();
        }
    }

    private void regained(AMQConnection open) {
        String address = "";
        synchronized (this) {
            connectedSince = System.nanoTime();
            notifyAll();
            BrokerDetails broker = open.getActiveBrokerDetails();
            if (broker != null) {
                address = broker.getHost() + ":" + broker.getPort();
            }
        }
        report.event("reconnected", "address", address);
    }

    private void failed(AMQConnection open, JMSException error) {
        boolean over = open.isClosed();
        boolean fatal;
        synchronized (this) {
            dead |= over;
            fatal = over && !mayReopen;
        }
        if (over) {
            lost(Tasks.describe(error));
        }
        report.error(0, fatal, Tasks.describe(error));
    }

    private void lost(String reason) {
        synchronized (this) {
            if (connectedSince < 0) {
                return;
            }
            connectedSince = -1;
            notifyAll();
        }
        report.event("disconnected", "reason", reason);
    }

    /** The URL of a {@code connect} request. Throws IllegalArgumentException for an unknown option. */
    static String url(String clientId, JSONObject request) {
        JSONObject options = request.optJSONObject("options", new JSONObject());
        boolean reconnect = request.optBoolean("reconnect", true);
        boolean exchange = request.optString("failover").equals("exchange");
        Map<String, String> broker = new java.util.TreeMap<>();
        Map<String, String> failover = new java.util.TreeMap<>();
        StringBuilder url = new StringBuilder("amqp://");
        url.append(options.optString("username", "guest")).append(':');
        url.append(options.optString("password", "guest")).append('@');
        url.append(clientId).append("/?");
        broker.put("heartbeat", Long.toString(request.optLong("heartbeat_s")));
        broker.put("tcp_nodelay", "true");
        if (reconnect) {
            broker.put("connectdelay", exchange ? EXCHANGE_DELAY_MS : CONNECT_DELAY_MS);
            failover.put("cyclecount", CYCLES);
        }
        if (options.optString(METHOD).equals("singlebroker")) {
            broker.put("retries", CYCLES); // this one counts tries, and has no cycles
        }
        for (String name : options.keySet()) {
            String value = options.getString(name);
            if (CONNECTION_OPTIONS.contains(name)) {
                url.append(name).append("='").append(value).append("'&");
            } else if (BROKER_OPTIONS.contains(name)) {
                broker.put(name, value);
            } else if (FAILOVER_OPTIONS.contains(name)) {
                failover.put(name, value);
            } else if (!List.of("username", "password", METHOD).contains(name)) {
                throw new IllegalArgumentException("unknown option " + name);
            }
        }
        if (broker.containsKey("idle_timeout")) {
            broker.remove("heartbeat"); // which goes first
        }
        StringJoiner brokers = new StringJoiner(";");
        JSONArray addresses = request.getJSONArray("addresses");
        for (int i = 0; i < addresses.length(); i++) {
            brokers.add("tcp://" + addresses.getString(i) + "?" + quoted(broker));
        }
        String wanted = options.optString(METHOD, "roundrobin");
        String method = reconnect ? wanted + "?" + quoted(failover) : "nofailover";
        if (exchange) {
            method = "failover_exchange";
        }
        return url + "brokerlist='" + brokers + "'&failover='" + method + "'";
    }

    private static String quoted(Map<String, String> options) {
        StringJoiner text = new StringJoiner("&");
        options.forEach((name, value) -> text.add(name + "='" + value + "'"));
        return text.toString();
    }
}
