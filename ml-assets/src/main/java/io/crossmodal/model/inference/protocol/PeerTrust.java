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
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.Collection;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;

/**
 * Whom one end of a TLS connection believes: the holders of the certificates in a file, and of
 * those that they have signed. Nobody else, not even whom the JDK would.
 */
public final class PeerTrust extends X509ExtendedTrustManager {
  private final X509ExtendedTrustManager path;

  private PeerTrust(X509ExtendedTrustManager path) {
    this.path = path;
  }

  /**
   * Reads certificates.
   *
   * @param file in PEM form, one or several
   * @throws IOException when it cannot be read, or holds none
   */
  public static PeerTrust of(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      Collection<? extends Certificate> certificates =
          CertificateFactory.getInstance("X.509").generateCertificates(in);
      if (certificates.isEmpty()) {
        throw new CertificateException("it holds none");
      }
      KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
      store.load(null, null);
      for (Certificate certificate : certificates) {
        store.setCertificateEntry(Integer.toString(store.size()), certificate);
      }
      TrustManagerFactory factory =
          TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      factory.init(store);
      for (TrustManager manager : factory.getTrustManagers()) {
        if (manager instanceof X509ExtendedTrustManager path) {
          return new PeerTrust(path);
        }
      }
      throw new IllegalStateException("every Java platform has an extended trust manager");
    } catch (GeneralSecurityException e) {
      throw new IOException(
          "["
              + file
              + "] must hold certificates in PEM form (-----BEGIN CERTIFICATE-----): "
              + e.getMessage(),
          e);
    }
  }

  /** The JDK does not ask for the dates of a certificate that is itself in the file. */
  private static void requireNow(X509Certificate[] chain) throws CertificateException {
    chain[0].checkValidity();
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String type) throws CertificateException {
    path.checkClientTrusted(chain, type);
    requireNow(chain);
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket)
      throws CertificateException {
    path.checkClientTrusted(chain, type, socket);
    requireNow(chain);
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine)
      throws CertificateException {
    path.checkClientTrusted(chain, type, engine);
    requireNow(chain);
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String type) throws CertificateException {
    path.checkServerTrusted(chain, type);
    requireNow(chain);
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket)
      throws CertificateException {
    path.checkServerTrusted(chain, type, socket);
    requireNow(chain);
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine)
      throws CertificateException {
    path.checkServerTrusted(chain, type, engine);
    requireNow(chain);
  }

  @Override
  public X509Certificate[] getAcceptedIssuers() {
    return path.getAcceptedIssuers();
  }
}
