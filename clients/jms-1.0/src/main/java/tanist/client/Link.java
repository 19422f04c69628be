package tanist.client;

import jakarta.jms.Connection;
import jakarta.jms.ExceptionListener;
import jakarta.jms.JMSException;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageProducer;
import jakarta.jms.Session;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.StringJoiner;
import java.util.TreeMap;
import org.apache.qpid.jms.JmsConnection;
import org.apache.qpid.jms.JmsConnectionFactory;
import org.apache.qpid.jms.JmsConnectionListener;
import org.apache.qpid.jms.message.JmsInboundMessageDispatch;
import org.json.JSONArray;
import org.json.JSONObject;

/** The connection: its URI, opening it, its ups and downs, and the next one when it is beyond repair. */
final class Link {
    /** Between two walks through the addresses, doubled each time, as by the library's own settings. */
    private static final String RECONNECT_MS = "10";

    /** At most between two walks; the library's own goes up to 30 s. */
    private static final String RECONNECT_MAX_MS = "500";

    /** For a broker that accepts the TCP connection and then says nothing; the library waits 15 s. */
    private static final String CONNECT_MS = "2000";

    /** Between two connections, when the library gave one up. */
    private static final long REOPEN_MS = 200;

    private static final int REOPEN_MAX = 300;

    /** The prefixes of the library's options, the longest ones first. */
    private static final String[] PREFIXES = {"failover.nested.", "failover.", "amqp.", "transport.", "jms."};

    /** What a {@code connect} request asks for. The password is in no URI, so that no log has it. */
    record Settings(String uri, String username, String password, boolean reconnect, boolean reopen, boolean async) {}

    /** What the library tells of one connection; of one that was replaced nobody wants to hear any more. */
    private final class Watch implements JmsConnectionListener, ExceptionListener {
        private final Connection watched;

        Watch(Connection watched) {
            this.watched = watched;
        }

        private boolean isCurrent() {
            synchronized (Link.this) {
                return watched == connection;
            }
        }

        @Override
        public void onConnectionInterrupted(URI remote) {
            if (isCurrent()) {
                lost("interrupted");
            }
        }

        @Override
        public void onConnectionRestored(URI remote) {
            if (isCurrent()) {
                regained(remote);
            }
        }

        @Override
        public void onConnectionFailure(Throwable error) {
            if (isCurrent()) {
                failed(Tasks.describe(error));
            }
        }

        @Override
        public void onConnectionEstablished(URI remote) {}

        @Override
        public void onInboundMessage(JmsInboundMessageDispatch envelope) {}

        @Override
        public void onSessionClosed(Session session, Throwable cause) {}

        @Override
        public void onConsumerClosed(MessageConsumer consumer, Throwable cause) {}

        @Override
        public void onProducerClosed(MessageProducer producer, Throwable cause) {}

        @Override
        public void onException(JMSException error) {
            System.err.println("exception listener: " + Tasks.describe(error));
        }
    }

    private final Reporter report;
    private final Object reopening = new Object();
    private Settings settings;
    private Connection connection;
    private boolean dead;
    private long connectedSince = -1; // nanoTime, -1 while there is no connection

    Link(Reporter report) {
        this.report = report;
    }

    /** Opens the connection; blocks until a broker accepts it. */
    void open(Settings wanted) throws JMSException {
        JmsConnectionFactory factory = new JmsConnectionFactory(wanted.username(), wanted.password(), wanted.uri());
        Connection opened = factory.createConnection();
        Watch watch = new Watch(opened);
        opened.setExceptionListener(watch);
        ((JmsConnection) opened).addConnectionListener(watch);
        try {
            opened.start();
        } catch (JMSException error) {
            opened.close();
            throw error;
        }
        synchronized (this) {
            settings = wanted;
            connection = opened;
            dead = false;
            connectedSince = System.nanoTime();
        }
    }

    synchronized Settings settings() {
        return settings;
    }

    /**
     * Replaces a connection that is beyond repair, unless another task did; blocks until a broker
     * accepts it.
     */
    void reopen(Connection broken, String reason) throws JMSException, InterruptedException {
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
                } catch (JMSException error) {
                    System.err.println("close: " + Tasks.describe(error));
                }
            });
            closing.setDaemon(true); // nobody needs to wait for it
            closing.start();
            openAnew();
            report.event("reconnected", "address", "");
        }
    }

    private void openAnew() throws JMSException, InterruptedException {
        for (int attempt = 1; ; attempt++) {
            try {
                open(settings());
                return;
            } catch (JMSException error) {
                System.err.println("open: " + Tasks.describe(error));
                if (attempt == REOPEN_MAX) {
                    throw error;
                }
                Thread.sleep(REOPEN_MS);
            }
        }
    }

    synchronized Connection connection() {
        if (connection == null) {
            throw new IllegalStateException("not connected");
        }
        return connection;
    }

    /** True if the library has given the connection up. */
    synchronized boolean isDead() {
        return dead;
    }

    /** When the present connection began; {@code now} while there is none. */
    synchronized long connectedSince(long now) {
        return connectedSince < 0 ? now : connectedSince;
    }

    void close() throws JMSException {
        Connection open;
        synchronized (this) {
            open = connection;
        }
        if (open != null) {
            open.close();
        }
    }

    private void regained(URI remote) {
        synchronized (this) {
            connectedSince = System.nanoTime();
        }
        report.event("reconnected", "address", remote.getHost() + ":" + remote.getPort());
    }

    private void failed(String reason) {
        boolean reopen;
        synchronized (this) {
            dead = true;
            reopen = settings.reopen();
        }
        lost(reason);
        if (!reopen) {
            report.error(0, true, reason);
        }
    }

    private void lost(String reason) {
        synchronized (this) {
            if (connectedSince < 0) {
                return;
            }
            connectedSince = -1;
        }
        report.event("disconnected", "reason", reason);
    }

    /** Reads a {@code connect} request. Throws IllegalArgumentException for an unknown option. */
    static Settings settings(String clientId, JSONObject request) {
        JSONObject given = request.optJSONObject("options", new JSONObject());
        boolean reconnect = request.optBoolean("reconnect", true);
        Map<String, String> options = new TreeMap<>();
        options.put("jms.clientID", clientId);
        options.put("jms.connectTimeout", CONNECT_MS);
        // Without it the library sends non-persistent messages without waiting for an outcome.
        options.put("jms.forceSyncSend", "true");
        // Enforced as given, half of it is told to the broker.
        options.put("amqp.idleTimeout", Long.toString(2000 * request.optLong("heartbeat_s")));
        if (reconnect) {
            options.put("failover.reconnectDelay", RECONNECT_MS);
            options.put("failover.maxReconnectDelay", RECONNECT_MAX_MS);
            // The request says where addresses come from; by default the broker's list replaces ours.
            options.put("failover.amqpOpenServerListAction", "IGNORE");
        }
        for (String name : given.keySet()) {
            if (prefix(name) != null) {
                options.put(name, given.getString(name));
            } else if (!name.equals("username") && !name.equals("password")) {
                throw new IllegalArgumentException("unknown option " + name);
            }
        }
        boolean async = Boolean.parseBoolean(options.get("jms.forceAsyncSend"));
        return new Settings(uri(request.getJSONArray("addresses"), reconnect, options),
                given.optString("username", null), given.optString("password", null),
                reconnect, request.optBoolean("reopen", false), async);
    }

    private static String prefix(String option) {
        for (String prefix : PREFIXES) {
            if (option.startsWith(prefix)) {
                return prefix;
            }
        }
        return null;
    }

    /** {@code failover:(amqp://one,amqp://other)?...}, or only the first address if there is no reconnecting. */
    private static String uri(JSONArray addresses, boolean reconnect, Map<String, String> options) {
        StringJoiner query = new StringJoiner("&", "?", "");
        options.forEach((name, value) -> {
            boolean nested = reconnect && (name.startsWith("amqp.") || name.startsWith("transport."));
            String full = nested ? "failover.nested." + name : name;
            query.add(full + "=" + URLEncoder.encode(value, StandardCharsets.UTF_8));
        });
        if (!reconnect) {
            return "amqp://" + addresses.getString(0) + query;
        }
        StringJoiner brokers = new StringJoiner(",", "failover:(", ")");
        for (int i = 0; i < addresses.length(); i++) {
            brokers.add("amqp://" + addresses.getString(i));
        }
        return brokers.toString() + query;
    }
}
