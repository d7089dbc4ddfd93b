// A Java program beside ours: plain Avro and Kafka clients, the registry by its HTTP API, the frame written by hand.
// usage: Clients produce BROKERS REGISTRY TOPIC SCHEMA_FILE <events   one event a line, in Avro's JSON encoding
//        Clients consume BROKERS REGISTRY TOPIC                       committed values, one JSON object a line

import java.io.*;
import java.net.URI;
import java.net.http.*;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.Future;
import com.fasterxml.jackson.databind.*;
import org.apache.avro.Schema;
import org.apache.avro.generic.*;
import org.apache.avro.io.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.serialization.*;

public class Clients {
    static final ObjectMapper json = new ObjectMapper();

    static JsonNode ask(HttpRequest.Builder request) throws Exception {
        var answer = HttpClient.newHttpClient().send(request.header("Content-Type", "application/json").build(),
                                                     HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() != 200)
            throw new IOException(answer.uri() + " answered " + answer.statusCode() + ": " + answer.body());
        return json.readTree(answer.body());
    }

    static int register(String registry, String topic, Schema schema) throws Exception {
        String body = json.writeValueAsString(Map.of("schema", schema.toString()));
        return ask(HttpRequest.newBuilder(URI.create(registry + "/subjects/" + topic + "-value/versions"))
                       .POST(HttpRequest.BodyPublishers.ofString(body))).get("id").asInt();
    }

    static Schema schemaOf(String registry, int id) throws Exception {
        return new Schema.Parser().parse(
            ask(HttpRequest.newBuilder(URI.create(registry + "/schemas/ids/" + id))).get("schema").asText());
    }

    static byte[] framed(int id, Schema schema, Object datum) throws IOException {
        var out = new ByteArrayOutputStream();
        out.write(0);
        out.write(ByteBuffer.allocate(4).putInt(id).array());
        BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(out, null);
        new GenericDatumWriter<Object>(schema).write(datum, encoder);
        encoder.flush();
        return out.toByteArray();
    }

    static void produce(String brokers, String registry, String topic, String file) throws Exception {
        Schema schema = new Schema.Parser().parse(Files.readString(Path.of(file)));
        int id = register(registry, topic, schema);
        var events = new GenericDatumReader<GenericRecord>(schema);
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var sent = new ArrayList<Future<RecordMetadata>>();
        try (var producer = new KafkaProducer<>(Map.<String, Object>of("bootstrap.servers", brokers, "acks", "all"),
                                                new StringSerializer(), new ByteArraySerializer())) {
            for (String line; (line = lines.readLine()) != null;) {
                GenericRecord event = events.read(null, DecoderFactory.get().jsonDecoder(schema, line));
                sent.add(producer.send(new ProducerRecord<>(topic, event.get("employee_id").toString(),
                                                            framed(id, schema, event))));
            }
            for (Future<RecordMetadata> one : sent)
                one.get();
        }
    }

    static void consume(String brokers, String registry, String topic) throws Exception {
        var schemas = new HashMap<Integer, Schema>();
        var out = new PrintStream(new FileOutputStream(FileDescriptor.out), false, StandardCharsets.UTF_8);
        var settings = Map.<String, Object>of("bootstrap.servers", brokers, "isolation.level", "read_committed");
        try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            var partitions = consumer.partitionsFor(topic).stream().map(p -> new TopicPartition(topic, p.partition())).toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            var ends = consumer.endOffsets(partitions);
            while (partitions.stream().anyMatch(p -> consumer.position(p) < ends.get(p)))
                for (var message : consumer.poll(Duration.ofMillis(200))) {
                    ByteBuffer value = ByteBuffer.wrap(message.value());
                    if (value.get() != 0)
                        throw new IOException("no frame at offset " + message.offset());
                    int id = value.getInt();
                    if (!schemas.containsKey(id))
                        schemas.put(id, schemaOf(registry, id));
                    var decoder = DecoderFactory.get().binaryDecoder(message.value(), 5, message.value().length - 5, null);
                    out.println(new GenericDatumReader<GenericRecord>(schemas.get(id)).read(null, decoder));
                    if (!decoder.isEnd())
                        throw new IOException("bytes after the datum at offset " + message.offset());
                }
        }
        out.flush();
    }

    public static void main(String[] words) throws Exception {
        if (words[0].equals("produce"))
            produce(words[1], words[2], words[3], words[4]);
        else
            consume(words[1], words[2], words[3]);
    }
}
