/**
 * The folder of a journal, shared by all processes and workers of a machine.
 *
 * Each of them is an instance with a random name. It holds a lock on `<instance>.lock` for as long as it lives; its
 * segments are `<instance>-<n>.journal`. A lock ends with its holder, however that ends, and locks of one process
 * exclude each other too. So an instance whose lock can be taken is dead, and whoever holds its lock may send what
 * it left. Locks are made, taken and removed under the lock of the folder, `folder.lock`, so that none is taken
 * between its making and its locking.
 * @module
 */
import { SEGMENT_EXTENSION } from "./segment.ts";

const LOCK_EXTENSION = ".lock";
const FOLDER_LOCK = "folder.lock";

/** An instance's part of the folder, held by its lock. */
export interface Claim {
  /** The instance. */
  readonly instance: string;
  /** Names of its segments, in order. */
  readonly segments: readonly string[];
  /** Gives the lock up; where no segment is left, its file goes too. */
  release(): Promise<void>;
}

function numberOf(name: string): number {
  return Number(name.slice(name.lastIndexOf("-") + 1));
}

/** A folder of journals, and this instance's place in it. */
export class JournalFolder {
  /** Its path. */
  readonly path: string;
  /** This instance's name. */
  readonly instance: string;
  #own: Claim | undefined;

  private constructor(path: string, instance: string) {
    this.path = path;
    this.instance = instance;
  }

  /**
   * Makes the folder if it is not there, and this instance's place in it.
   *
   * @throws {Error} That says what to do, if it cannot be made or locked
   */
  static async open(path: string): Promise<JournalFolder> {
    const folder = new JournalFolder(path, crypto.randomUUID().slice(0, 18));
    try {
      await Deno.mkdir(path, { recursive: true, mode: 0o700 });
      folder.#own = await folder.#underLock(() => folder.#take(folder.instance, true));
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new Error(
        `Cannot open the journal ${path}: ${reason}. Set store.journal to a folder that may be written, on a disk of this machine`,
        { cause },
      );
    }
    return folder;
  }

  /** Takes what instances have left that have ended; nobody else has it then. */
  async claimOrphans(): Promise<readonly Claim[]> {
    return await this.#underLock(() => {
      const claims: Claim[] = [];
      for (const instance of this.#instances()) {
        const claim = instance === this.instance ? undefined : this.#take(instance, false);
        if (claim !== undefined) claims.push(claim);
      }
      return claims;
    });
  }

  /** Bytes of all segments in it. */
  size(): number {
    try {
      return this.#names().filter((name) => name.endsWith(SEGMENT_EXTENSION))
        .reduce((sum, name) => sum + sizeOf(`${this.path}/${name}`), 0);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return 0; // somebody has removed it: who writes to it is told
      throw error;
    }
  }

  /** Gives up this instance's place: what is left in it is anybody's to send. */
  async close(): Promise<void> {
    await this.#own?.release();
    this.#own = undefined;
  }

  #names(): string[] {
    return [...Deno.readDirSync(this.path)].map(({ name }) => name);
  }

  /** Those with a lock, and those whose lock somebody has removed by hand. */
  #instances(): Set<string> {
    const instances = new Set<string>();
    for (const name of this.#names()) {
      if (name === FOLDER_LOCK) continue;
      if (name.endsWith(LOCK_EXTENSION)) instances.add(name.slice(0, -LOCK_EXTENSION.length));
      if (name.endsWith(SEGMENT_EXTENSION)) instances.add(name.slice(0, name.lastIndexOf("-")));
    }
    return instances;
  }

  #segmentsOf(instance: string): string[] {
    return this.#names()
      .filter((name) => name.startsWith(`${instance}-`) && name.endsWith(SEGMENT_EXTENSION))
      .map((name) => name.slice(0, -SEGMENT_EXTENSION.length))
      .sort((a, b) => numberOf(a) - numberOf(b));
  }

  /** Undefined where somebody holds it. Call it under the folder's lock. */
  #take(instance: string, createNew: boolean): Claim | undefined {
    const path = `${this.path}/${instance}${LOCK_EXTENSION}`;
    const file = Deno.openSync(path, { write: true, create: true, createNew, mode: 0o600 });
    if (!file.tryLockSync(true)) {
      file.close();
      return undefined;
    }
    return {
      instance,
      segments: this.#segmentsOf(instance),
      release: () =>
        this.#underLock(() => {
          if (this.#segmentsOf(instance).length === 0) Deno.removeSync(path);
          file.close();
        }),
    };
  }

  async #underLock<T>(work: () => T): Promise<T> {
    const file = await Deno.open(`${this.path}/${FOLDER_LOCK}`, {
      write: true,
      create: true,
      mode: 0o600,
    });
    try {
      await file.lock(true);
      return work();
    } finally {
      file.close();
    }
  }
}

function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0; // sent and removed meanwhile
    throw error;
  }
}
