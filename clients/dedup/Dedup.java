import jakarta.jms.Connection;
import jakarta.jms.Message;
import jakarta.jms.MessageConsumer;
import jakarta.jms.Session;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.qpid.jms.JmsConnectionFactory;

/**
 * A consumer that handles each message once, though it may arrive twice: Apache Qpid JMS.
 *
 * <p>java -cp ... Dedup.java HOST:PORT[,HOST:PORT...] QUEUE LEDGER IDLE_SECONDS
 *
 * <p>See README.md for why it is made so.
 */
public class Dedup {
    private static final String OPTIONS =
            "?failover.maxReconnectDelay=500&failover.nested.amqp.idleTimeout=2000"
                    + "&jms.connectTimeout=2000&jms.prefetchPolicy.queuePrefetch=20";

    /** What was handled: a line per message, on disk before the message is acknowledged. */
    static class Ledger {
        private final Set<String> seen;
        private final FileChannel file;

        Ledger(Path path) throws IOException {
            String text = Files.exists(path) ? Files.readString(path) : "";
            String whole = text.substring(0, text.lastIndexOf('\n') + 1);
            seen = new HashSet<>(whole.lines().toList());
            file = FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            // We died while writing what is cut off here: it was not handled.
            file.truncate(whole.getBytes(StandardCharsets.UTF_8).length);
            file.position(file.size());
        }

        /** Do what is to be done with a message, unless that was done before. */
        boolean handle(String producer, long sn) throws IOException {
            String line = producer + " " + sn;
            if (seen.contains(line)) {
                return false;
            }
            // The work; yours goes here, in the same transaction.
            ByteBuffer octets = ByteBuffer.wrap((line + "\n").getBytes(StandardCharsets.UTF_8));
            while (octets.hasRemaining()) {
                file.write(octets);
            }
            file.force(false);
            seen.add(line);
            return true;
        }
    }

    public static void main(String[] words) throws Exception {
        String members = Arrays.stream(words[0].split(","))
                .map(address -> "amqp://" + address).collect(Collectors.joining(","));
        Ledger ledger = new Ledger(Path.of(words[2]));
        long idle = (long) (1000 * Double.parseDouble(words[3]));
        Connection connection =
                new JmsConnectionFactory("failover:(" + members + ")" + OPTIONS).createConnection();
        connection.start();
        Session session = connection.createSession(false, Session.CLIENT_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(session.createQueue(words[1]));
        int handled = 0;
        int duplicates = 0;
        Message message;
        while ((message = consumer.receive(idle)) != null) {
            if (ledger.handle(message.getStringProperty("producer"), message.getLongProperty("sn"))) {
                handled++;
            } else {
                duplicates++;
            }
            message.acknowledge();
        }
        System.out.println("handled " + handled + ", duplicates " + duplicates);
        System.exit(0);
    }
}
