/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.process;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** Listens in a worker's place and answers what a test says, be it no HTTP at all. */
final class FakeWorker implements AutoCloseable {
  private final ServerSocket server;
  private final Answer answer;
  private final Set<Socket> sockets = ConcurrentHashMap.newKeySet();
  private final ExecutorService threads = Executors.newCachedThreadPool();

  /** Writes what is to be answered to a request. */
  interface Answer {
    /**
     * Answers.
     *
     * @param path of the request
     */
    void write(String path, OutputStream out) throws IOException;
  }

  FakeWorker(Answer answer) throws IOException {
    this(new ServerSocket(0, 50, InetAddress.getLoopbackAddress()), answer);
  }

  FakeWorker(ServerSocket server, Answer answer) {
    this.server = server;
    this.answer = answer;
    threads.execute(this::accept);
  }

  String address() {
    return "127.0.0.1:" + server.getLocalPort();
  }

  private void accept() {
    while (!server.isClosed()) {
      try {
        Socket socket = server.accept();
        sockets.add(socket);
        threads.execute(() -> serve(socket));
      } catch (IOException e) {
        // It is closed.
        return;
      }
    }
  }

  private void serve(Socket socket) {
    try (socket) {
      InputStream in = new BufferedInputStream(socket.getInputStream());
      for (String path = request(in); path != null; path = request(in)) {
        answer.write(path, socket.getOutputStream());
        socket.getOutputStream().flush();
      }
    } catch (IOException e) {
      // The node has hung up, as it should.
    }
  }

  /** Reads a request and its body; null at the connection's end. */
  private static String request(InputStream in) throws IOException {
    String first = line(in);
    if (first.isEmpty()) {
      return null;
    }
    long length = 0;
    for (String line = line(in); !line.isEmpty(); line = line(in)) {
      String[] header = line.toLowerCase(Locale.ROOT).split(": ", 2);
      if (header[0].equals("content-length")) {
        length = Long.parseLong(header[1]);
      }
    }
    in.skipNBytes(length);
    return first.split(" ", 3)[1];
  }

  private static String line(InputStream in) throws IOException {
    StringBuilder line = new StringBuilder();
    for (int b = in.read(); b >= 0 && b != '\n'; b = in.read()) {
      if (b != '\r') {
        line.append((char) b);
      }
    }
    return line.toString();
  }

  /** Writes a whole answer of some status. */
  static void answer(OutputStream out, String status, String headers, byte[] body)
      throws IOException {
    String head = "HTTP/1.1 " + status + "\r\n" + headers + "Content-Length: " + body.length;
    out.write((head + "\r\n\r\n").getBytes(StandardCharsets.US_ASCII));
    out.write(body);
  }

  @Override
  public void close() throws IOException {
    server.close();
    for (Socket socket : sockets) {
      socket.close();
    }
    threads.shutdownNow();
  }
}
