import java.net.InetSocketAddress;
import org.apache.zookeeper.server.quorum.QuorumPeerConfig;

/** Says of each configuration file what Apache ZooKeeper makes of it, and then a line of dashes. */
public class Parse {
    public static void main(String[] files) {
        for (String file : files) {
            QuorumPeerConfig config = new QuorumPeerConfig();
            try {
                config.parse(file);
                System.out.println("clients " + text(config.getClientPortAddress()));
                System.out.println("secure " + text(config.getSecureClientPortAddress()));
                System.out.println(config.getQuorumVerifier());
            } catch (QuorumPeerConfig.ConfigException e) {
                System.out.println("refused");
            }
            System.out.println("--");
        }
    }

    private static String text(InetSocketAddress address) {
        return address == null ? "none" : address.getAddress().getHostAddress() + ":" + address.getPort();
    }
}
