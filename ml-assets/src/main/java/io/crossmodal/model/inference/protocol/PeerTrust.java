/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.protocol;

import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.List;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;

/**
 * Whom one end of a TLS connection believes: the holders of the certificates in a file, and of
 * those that they have signed, while all of them are in time. Nobody else, not even whom the JDK
 * would: it does not ask for the dates of what is itself in the file, be it a peer's own
 * certificate or the CA's.
 */
public final class PeerTrust extends X509ExtendedTrustManager {
  private final Path file;
  private final List<X509Certificate> certificates;

  private PeerTrust(Path file, List<X509Certificate> certificates) {
    this.file = file;
    this.certificates = certificates;
  }

  /**
   * Reads certificates.
   *
   * @param file in PEM form, one or several
   * @throws IOException when it cannot be read, or holds none
   */
  public static PeerTrust of(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      List<X509Certificate> certificates =
          CertificateFactory.getInstance("X.509").generateCertificates(in).stream()
              .map(X509Certificate.class::cast)
              .toList();
      if (certificates.isEmpty()) {
        throw new CertificateException("it holds none");
      }
      return new PeerTrust(file, certificates);
    } catch (GeneralSecurityException e) {
      throw new IOException(
          "["
              + file
              + "] must hold certificates in PEM form (-----BEGIN CERTIFICATE-----): "
              + e.getMessage(),
          e);
    }
  }

  private static boolean isInTime(X509Certificate certificate) {
    try {
      certificate.checkValidity();
      return true;
    } catch (CertificateException e) {
      return false;
    }
  }

  /**
   * Returns what judges a chain by the certificates of the file that are in time now; made anew,
   * for that is another set tomorrow, and connections are kept.
   */
  private X509ExtendedTrustManager path() throws CertificateException {
    X509Certificate[] now = getAcceptedIssuers();
    if (now.length == 0) {
      throw new CertificateException("no certificate of [" + file + "] is in time");
    }
    try {
      KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
      store.load(null, null);
      for (X509Certificate certificate : now) {
        store.setCertificateEntry(Integer.toString(store.size()), certificate);
      }
      TrustManagerFactory factory =
          TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      factory.init(store);
      for (TrustManager manager : factory.getTrustManagers()) {
        if (manager instanceof X509ExtendedTrustManager path) {
          return path;
        }
      }
      throw new IllegalStateException("every Java platform has an extended trust manager");
    } catch (GeneralSecurityException | IOException e) {
      throw new CertificateException("the certificates of [" + file + "] cannot be used", e);
    }
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String type) throws CertificateException {
    path().checkClientTrusted(chain, type);
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket)
      throws CertificateException {
    path().checkClientTrusted(chain, type, socket);
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine)
      throws CertificateException {
    path().checkClientTrusted(chain, type, engine);
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String type) throws CertificateException {
    path().checkServerTrusted(chain, type);
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket)
      throws CertificateException {
    path().checkServerTrusted(chain, type, socket);
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine)
      throws CertificateException {
    path().checkServerTrusted(chain, type, engine);
  }

  @Override
  public X509Certificate[] getAcceptedIssuers() {
    return certificates.stream().filter(PeerTrust::isInTime).toArray(X509Certificate[]::new);
  }
}
