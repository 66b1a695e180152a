// Appends each case to a log of Apache Kafka itself and prints what became of it. Usage:
//
//     java -cp 'lib/*' Verdicts.java < cases.txt > verdicts.txt
//
// with the jars of Kafka 3.9.2 in lib (compat/kafka fetches them). A case is a line
// "name|produce version|topic settings, key=value,…|records in hex", as
// `go test -run TestVerdicts -cases FILE` writes them; the program adds "|code indexes" where
// Kafka refuses, "|NONE stored bytes in hex" where it appends.
import java.io.*;
import java.nio.ByteBuffer;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import java.util.stream.*;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.*;
import org.apache.kafka.common.requests.*;
import org.apache.kafka.common.utils.*;
import org.apache.kafka.server.common.MetadataVersion;
import org.apache.kafka.server.util.KafkaScheduler;
import org.apache.kafka.storage.internals.log.*;
import scala.Option;

public class Verdicts {
    static final long NOW = 1_700_000_000_000L;
    static final int EPOCH = 5;

    static final Time clock = new Time() {
        public long milliseconds() { return NOW; }
        public long nanoseconds() { return System.nanoTime(); }
        public void sleep(long ms) { }
        public void waitObject(Object o, Supplier<Boolean> c, long d) { }
    };

    public static void main(String[] args) throws Exception {
        KafkaScheduler scheduler = new KafkaScheduler(1);
        scheduler.startup();
        Path root = Files.createTempDirectory("verdicts");
        int n = 0;
        for (String line : new BufferedReader(new InputStreamReader(System.in)).lines().toList()) {
            String[] f = line.split("\\|", -1);
            byte[] records = HexFormat.of().parseHex(f[3]);
            File dir = new File(root.toFile(), "case-" + n++);
            System.out.println(line + "|" + verdict(dir, scheduler, Short.parseShort(f[1]), f[2], records));
        }
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }

    static String verdict(File dir, KafkaScheduler scheduler, short version, String settings, byte[] records) throws Exception {
        Properties p = new Properties();
        for (String s : settings.split(","))
            if (!s.isEmpty()) p.setProperty(s.substring(0, s.indexOf('=')), s.substring(s.indexOf('=') + 1));
        dir.mkdirs();
        var log = kafka.log.UnifiedLog.apply(dir, new LogConfig(p), 0L, 0L, scheduler, new kafka.server.BrokerTopicStats(false),
            clock, 900_000, new ProducerStateManagerConfig(86_400_000, false), 600_000, new LogDirFailureChannel(10), true,
            Option.empty(), true, new ConcurrentHashMap<>(), false, LogOffsetsListener.NO_OP_OFFSETS_LISTENER);
        try {
            MemoryRecords m = MemoryRecords.readableRecords(ByteBuffer.wrap(records));
            ProduceRequest.validateRecords(version, m);
            log.appendAsLeader(m, EPOCH, AppendOrigin.CLIENT, MetadataVersion.latestProduction(),
                kafka.server.RequestLocal.NoCaching(), VerificationGuard.SENTINEL);
            log.flush(true);
            return "NONE " + HexFormat.of().formatHex(Files.readAllBytes(Path.of(dir.getPath(), "00000000000000000000.log")));
        } catch (RecordValidationException e) {
            return Errors.forException(e.invalidException()) + " " +
                e.recordErrors().stream().map(r -> String.valueOf(r.batchIndex)).collect(Collectors.joining(","));
        } catch (Throwable e) {
            System.err.println(e);
            return Errors.forException(e) + " ";
        } finally {
            log.close();
        }
    }
}
