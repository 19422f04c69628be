package tanist.client;

import java.util.ArrayList;
import java.util.Enumeration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.jms.BytesMessage;
import javax.jms.JMSException;
import javax.jms.MapMessage;
import javax.jms.Message;
import javax.jms.Session;
import javax.jms.TextMessage;
import org.apache.qpid.client.AMQSession_0_10;
import org.apache.qpid.jms.ListMessage;
import org.json.JSONObject;

/** Sends and receives messages that carry a value. */
final class Values extends Notation {
    private static final String OPTIONS = "{node: {type: queue}}";

    private Message message(Session session, String place, JSONObject value) throws JMSException, Unsupported {
        Object inner = read(value);
        try {
            if (place.equals("property")) {
                Message message = session.createTextMessage("");
                message.setObjectProperty(KEY, inner);
                return message;
            } else if (place.equals("map")) {
                MapMessage message = session.createMapMessage();
                message.setObject(KEY, inner);
                return message;
            }
            return body(session, inner);
        } catch (JMSException | IllegalArgumentException error) {
            throw new Unsupported(Tasks.describe(error));
        }
    }

    private static Message body(Session session, Object inner) throws JMSException, Unsupported {
        if (inner instanceof String text) {
            return session.createTextMessage(text);
        } else if (inner instanceof byte[] octets) {
            BytesMessage message = session.createBytesMessage();
            message.writeBytes(octets);
            return message;
        } else if (inner instanceof List<?> list) {
            ListMessage message = ((AMQSession_0_10) session).createListMessage();
            message.setList(new ArrayList<>(list));
            return message;
        } else if (inner instanceof Map<?, ?> map) {
            MapMessage message = session.createMapMessage();
            for (Map.Entry<?, ?> entry : map.entrySet()) {
                message.setObject((String) entry.getKey(), entry.getValue());
            }
            return message;
        }
        throw new Unsupported("an AMQP 0-10 body is text, octets, a list or a map");
    }

    private static Object body(Message message) throws JMSException {
        if (message instanceof ListMessage list) {
            return list.asList();
        } else if (message instanceof MapMessage map) {
            Map<String, Object> entries = new LinkedHashMap<>();
            for (Enumeration<?> names = map.getMapNames(); names.hasMoreElements(); ) {
                String name = (String) names.nextElement();
                entries.put(name, map.getObject(name));
            }
            return entries;
        } else if (message instanceof TextMessage text) {
            return text.getText();
        } else if (message instanceof BytesMessage octets) {
            byte[] read = new byte[(int) octets.getBodyLength()];
            octets.readBytes(read);
            return read;
        }
        throw new JMSException("the library handed out a " + message.getClass().getSimpleName());
    }

    /** Returns when the broker has the message. */
    void put(Link link, JSONObject request) throws Exception {
        Session session = link.connection().createSession(true, Session.SESSION_TRANSACTED);
        try {
            Message message = message(session, request.getString("place"), request.getJSONObject("value"));
            session.createProducer(Tasks.destination(session, request.getString("queue"), OPTIONS)).send(message);
            session.commit(); // the library's own sends do not wait for the broker
        } finally {
            session.close();
        }
    }

    /** The value of the next message. */
    JSONObject take(Link link, JSONObject request) throws Exception {
        Session session = link.connection().createSession(false, Session.AUTO_ACKNOWLEDGE);
        try {
            Message message = session.createConsumer(Tasks.destination(session, request.getString("queue"), OPTIONS))
                    .receive((long) (1000 * request.optDouble("timeout_s", 5)));
            if (message == null) {
                throw new JMSException("no message came");
            }
            if (request.getString("place").equals("property")) {
                return write(message.getObjectProperty(KEY));
            }
            Object body = body(message);
            return write(request.getString("place").equals("map") ? ((Map<?, ?>) body).get(KEY) : body);
        } finally {
            session.close();
        }
    }
}
