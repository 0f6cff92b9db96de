-- What wixl cannot say, one statement a line (msibuild -q). @VERSION@ is the MSI's version.

-- The old version goes inside of the transaction: when the new one cannot be installed, the old one comes back.
UPDATE InstallExecuteSequence SET Sequence=1501 WHERE Action='RemoveExistingProducts'

-- The actions stand here because wixl orders them anew in every run. A folder that was chosen at the first install is
-- kept by the next version (51: set a property).
INSERT INTO CustomAction (Action, Type, Source, Target) VALUES ('KeepFolder', 51, 'INSTALLDIR', '[OLDFOLDER]')
INSERT INTO InstallExecuteSequence (Action, Condition, Sequence) VALUES ('KeepFolder', 'OLDFOLDER AND NOT INSTALLDIR', 60)
INSERT INTO CustomAction (Action, Type, Source, Target) VALUES ('AlsoPurge', 51, 'PURGEWORD', '--purge')
INSERT INTO InstallExecuteSequence (Action, Condition, Sequence) VALUES ('AlsoPurge', 'PURGE = "1"', 61)

-- What an MSI cannot do: folders that only administrators can open, the configuration, recovery of the service.
-- 18 a program that was installed, 1024 deferred, 2048 as the system, 8192 no command line in a log: it holds the code.
INSERT INTO CustomAction (Action, Type, Source, Target) VALUES ('Configure', 11282, 'AgentExe', 'install --package --server "[SERVER]" --token "[TOKEN]" --fingerprint "[FINGERPRINT]"')
INSERT INTO InstallExecuteSequence (Action, Condition, Sequence) VALUES ('Configure', 'NOT REMOVE', 5801)

-- Opens the gate and tells the console. When the gate cannot be opened the removal fails and the service comes back.
INSERT INTO CustomAction (Action, Type, Source, Target) VALUES ('Farewell', 3090, 'AgentExe', 'uninstall --package --by "[LogonUser]" [PURGEWORD]')
INSERT INTO InstallExecuteSequence (Action, Condition, Sequence) VALUES ('Farewell', 'REMOVE = "ALL" AND NOT UPGRADINGPRODUCTCODE', 1901)

-- The same version replaces itself (bit 512): builds between two releases have the same three numbers.
DELETE FROM Upgrade WHERE ActionProperty='WIX_UPGRADE_DETECTED'
INSERT INTO Upgrade (UpgradeCode, VersionMax, Attributes, ActionProperty) VALUES ('{2B7C1C53-5B0C-4E0A-9C39-6C9F0D5B7A11}', '@VERSION@', 513, 'WIX_UPGRADE_DETECTED')

-- wixl puts a backslash behind the key.
UPDATE Registry SET `Key`='SOFTWARE\Sekisho' WHERE Name='AgentFolder'

-- What may be said on the command line when Windows Installer runs elevated.
UPDATE Property SET Value='WIX_DOWNGRADE_DETECTED;WIX_UPGRADE_DETECTED;SERVER;TOKEN;FINGERPRINT;PURGE;INSTALLDIR' WHERE Property='SecureCustomProperties'

-- Refused before anything is changed.
INSERT INTO LaunchCondition (Condition, Description) VALUES ('Installed OR NOT VersionNT OR VersionNT >= 603', 'Windows 10 または Windows Server 2016 以降が必要です。')
INSERT INTO LaunchCondition (Condition, Description) VALUES ('NOT SERVER OR SERVER ~<< "https://"', 'SERVER は https:// で始まる管理コンソールのアドレスにしてください(例 SERVER=https://console:8444)。何も変更していません。')
INSERT INTO LaunchCondition (Condition, Description) VALUES ('NOT TOKEN OR SERVER', 'TOKEN(導入コード)を指定するときは、SERVER も指定してください。何も変更していません。')
INSERT INTO LaunchCondition (Condition, Description) VALUES ('NOT TOKEN OR FINGERPRINT', 'TOKEN(導入コード)を指定するときは、FINGERPRINT(管理コンソールのフィンガープリント)も指定してください。何も変更していません。')

-- Windows' own words for a custom action that failed show its command line.
INSERT INTO Error (Error, Message) VALUES (1722, 'Sekisho 端末エージェントの処理を終えられませんでした。理由は C:\ProgramData\Sekisho\installer.log にあります。')

-- `sekisho-agent status` works in every command prompt that is opened from now on.
CREATE TABLE Environment (Environment CHAR(72) NOT NULL, Name CHAR(255) NOT NULL LOCALIZABLE, Value CHAR(255) LOCALIZABLE, Component_ CHAR(72) NOT NULL PRIMARY KEY Environment)
INSERT INTO Environment (Environment, Name, Value, Component_) VALUES ('Path', '=-*PATH', '[~];[INSTALLDIR]', 'Agent')
INSERT INTO InstallExecuteSequence (Action, Sequence) VALUES ('WriteEnvironmentStrings', 5200)
INSERT INTO InstallExecuteSequence (Action, Sequence) VALUES ('RemoveEnvironmentStrings', 3300)
