<#
Sekisho: what only a real Windows can show (docs/limits.md, "Platforms"). 実機の Windows でしか確かめられないことを確かめます。

One PC, one USB stick with at least one file on it, fifteen minutes, PowerShell as Administrator:
実機1台、ファイルの入った USB メモリ1本、15分、管理者の PowerShell で:

    powershell -ExecutionPolicy Bypass -File prove-windows.ps1 -Agent .\sekisho-agent.exe

It sets rules for AppLocker for some minutes, installs the agent with its gate shut, looks, and removes all of it again. Nothing stays changed; when the window was closed in the
middle, run it again with -Restore. The report names the computer's Windows and the stick's device id, no user and no file.
途中で窓を閉じたときは -Restore を付けてもう一度実行してください。報告書には Windows の版と USB メモリの装置名だけが載ります。
#>
[CmdletBinding()]
param(
    [string]$Agent = '',
    [string]$Report = '',
    [switch]$Restore
)

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

$serviceName = 'sekisho-agent'
$safe = Join-Path $env:ProgramFiles 'Sekisho Proof'          # only administrators write here
$shared = Join-Path $env:PUBLIC 'sekisho-proof'              # who is signed in writes here; nothing in it is run or imported
$data = Join-Path $env:ProgramData 'Sekisho'
$program = Join-Path $safe 'sekisho-agent.exe'
$taskName = 'SekishoProof'
$system32 = [Environment]::SystemDirectory
$restrictions = 'SOFTWARE\Policies\Microsoft\Windows\DeviceInstall\Restrictions'
$removable = 'SOFTWARE\Policies\Microsoft\Windows\RemovableStorageDevices\{53f5630d-b6bf-11d0-94f2-00a0c91efb8b}'
$explorer = 'SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\Explorer'
$srp = 'SOFTWARE\Policies\Microsoft\Windows\SrpV2'
$programs = Join-Path $env:PUBLIC 'sekisho-proof-programs'   # what AppLocker is tried with; copies of Windows' own programs
$keys = @(
    'HKLM\SOFTWARE\Policies\Microsoft\Windows\DeviceInstall',
    'HKLM\SOFTWARE\Policies\Microsoft\Windows\RemovableStorageDevices',
    'HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\Explorer',
    'HKLM\SOFTWARE\Policies\Microsoft\Windows\SrpV2',
    'HKLM\SYSTEM\CurrentControlSet\Services\EventLog\Application\Sekisho',
    'HKLM\SYSTEM\CurrentControlSet\Services\sekisho-agent'
)
$results = New-Object System.Collections.ArrayList
$script:begin = Get-Date
$script:peak = [long]0                                       # memory of the search for updates

# ---- small tools -----------------------------------------------------------------------------------------------------

function Say([string]$Japanese, [string]$English) {
    Write-Host ''
    Write-Host $Japanese
    Write-Host $English
}

function Add-Result([string]$Id, [string]$Word, [string]$Japanese, [string]$English, [string]$Detail) {
    $clean = ($Detail -replace '[\r\n]+', ' | ').Trim()
    [void]$results.Add([pscustomobject]@{ Id = $Id; Word = $Word; Japanese = $Japanese; English = $English; Detail = $clean })
    Write-Host ('[{0}] {1} {2} / {3} {4}' -f $Word, $Id, $Japanese, $English, $clean)
}

# Test-Line runs one check: it gives $true, $false, or nothing for "cannot tell"; an error is "cannot tell" as well.
function Test-Line([string]$Id, [string]$Japanese, [string]$English, [scriptblock]$Check) {
    $word = 'unknown'
    $detail = ''
    try {
        $found = & $Check
        $detail = [string]$found.Detail
        if ($found.Is -eq $true) { $word = 'proved' }
        if ($found.Is -eq $false) { $word = 'refuted' }
    } catch {
        $detail = 'error: ' + $_.Exception.Message
    }
    Add-Result $Id $word $Japanese $English $detail
}

function New-Finding($Is, [string]$Detail) {
    return [pscustomobject]@{ Is = $Is; Detail = $Detail }
}

# Invoke-Program runs a program with a time limit; what it says comes back as text, also what it complains of. Peak is the most
# memory that was seen while it ran.
function Invoke-Program([string]$File, [string[]]$Arguments, [int]$Seconds = 120) {
    $start = New-Object System.Diagnostics.ProcessStartInfo
    $start.FileName = $File
    $quoted = foreach ($a in $Arguments) { if ($a -match '\s') { '"' + $a + '"' } else { $a } }
    $start.Arguments = ($quoted -join ' ')
    $start.UseShellExecute = $false
    $start.CreateNoWindow = $true
    $start.RedirectStandardOutput = $true
    $start.RedirectStandardError = $true
    if ($File -eq $program) {
        $start.StandardOutputEncoding = [System.Text.Encoding]::UTF8
        $start.StandardErrorEncoding = [System.Text.Encoding]::UTF8
    }
    $process = [System.Diagnostics.Process]::Start($start)
    $out = $process.StandardOutput.ReadToEndAsync()
    $complaint = $process.StandardError.ReadToEndAsync()
    $clock = [System.Diagnostics.Stopwatch]::StartNew()
    $peak = [long]0
    while (-not $process.WaitForExit(200)) {
        try { $process.Refresh(); $peak = [Math]::Max($peak, [long]$process.PrivateMemorySize64) } catch { $peak = $peak }
        if ($clock.Elapsed.TotalSeconds -gt $Seconds) {
            $process.Kill()
            return [pscustomobject]@{ Code = -1; Out = ''; All = "no end within $Seconds s"; Peak = $peak }
        }
    }
    $process.WaitForExit()
    return [pscustomobject]@{ Code = $process.ExitCode; Out = $out.Result; All = ($out.Result + ' ' + $complaint.Result); Peak = $peak }
}

# Wait-Until looks again until the check gives something, and says after how many milliseconds; $null when the time is over.
function Wait-Until([int]$Seconds, [scriptblock]$Check) {
    $clock = [System.Diagnostics.Stopwatch]::StartNew()
    while ($clock.Elapsed.TotalSeconds -lt $Seconds) {
        $found = $null
        try { $found = & $Check } catch { $found = $null }
        if ($found) { return [int]$clock.ElapsedMilliseconds }
        Start-Sleep -Milliseconds 200
    }
    return $null
}

function Get-Answer {
    $said = Invoke-Program $program @('status', '--json') 20
    if ($said.Code -ne 0) { return $null }
    return ($said.Out | ConvertFrom-Json)
}

function Get-Value([string]$Key, [string]$Name) {
    $opened = [Microsoft.Win32.Registry]::LocalMachine.OpenSubKey($Key)
    if ($null -eq $opened) { return $null }
    try { return $opened.GetValue($Name, $null, [Microsoft.Win32.RegistryValueOptions]::DoNotExpandEnvironmentNames) } finally { $opened.Close() }
}

# Get-Problem is the device's problem code: 0 works, 22 is disabled, -1 is not there.
function Get-Problem([string]$Id) {
    $filter = "PNPDeviceID='" + $Id.Replace('\', '\\').Replace("'", "\'") + "'"
    $node = Get-CimInstance -ClassName Win32_PnPEntity -Filter $filter
    if ($null -eq $node) { return -1 }
    return [int]$node.ConfigManagerErrorCode
}

# Get-Opens is 0 when a path can be opened for reading, else Windows' error number.
function Get-Opens([string]$Path) { return [SekishoProof]::Open($Path) }

$opener = @'
using System;
using System.Runtime.InteropServices;
public static class SekishoProof {
    [DllImport("kernel32.dll", CharSet = CharSet.Unicode, SetLastError = true)]
    static extern IntPtr CreateFileW(string name, uint access, uint share, IntPtr security, uint how, uint flags, IntPtr template);
    [DllImport("kernel32.dll")]
    static extern bool CloseHandle(IntPtr handle);
    public static int Open(string path) {
        IntPtr handle = CreateFileW(path, 0x80000000, 7, IntPtr.Zero, 3, 0, IntPtr.Zero);
        int error = Marshal.GetLastWin32Error();
        if (handle == new IntPtr(-1)) { return error; }
        CloseHandle(handle);
        return 0;
    }
}
'@

# ---- the registry before and after -----------------------------------------------------------------------------------

function Get-ExportName([string]$Folder, [int]$Number) { return (Join-Path $Folder ("before-$Number.reg")) }

# Read-Key is a key with everything below it as reg.exe writes it, '' when there is none.
function Read-Key([string]$Key, [string]$File) {
    if (Test-Path -LiteralPath $File) { Remove-Item -LiteralPath $File -Force }
    [void](Invoke-Program (Join-Path $system32 'reg.exe') @('export', $Key, $File, '/y') 60)
    if (-not (Test-Path -LiteralPath $File)) { return '' }
    return [System.IO.File]::ReadAllText($File)
}

function Save-Registry {
    for ($i = 0; $i -lt $keys.Count; $i++) { [void](Read-Key $keys[$i] (Get-ExportName $safe $i)) }
    Set-Content -LiteralPath (Join-Path $safe 'saved') -Value 'yes' -Encoding ASCII
}

# Get-Changed names the keys that are not as they were.
function Get-Changed {
    $changed = @()
    for ($i = 0; $i -lt $keys.Count; $i++) {
        $file = Get-ExportName $safe $i
        $before = ''
        if (Test-Path -LiteralPath $file) { $before = [System.IO.File]::ReadAllText($file) }
        $now = Read-Key $keys[$i] (Join-Path $safe 'now.reg')
        if ($before -ne $now) { $changed += $i }
    }
    return , $changed
}

# Restore-Registry is only for the case that the agent did not: what is missing is put back first; a key that has more than
# before is then replaced as a whole.
function Restore-Registry {
    $reg = Join-Path $system32 'reg.exe'
    foreach ($i in (Get-Changed)) {
        $file = Get-ExportName $safe $i
        if (Test-Path -LiteralPath $file) {
            $said = Invoke-Program $reg @('import', $file) 60
            if ($said.Code -ne 0) { throw "cannot import ${file}: $($said.All)" }
        }
    }
    foreach ($i in (Get-Changed)) {
        $file = Get-ExportName $safe $i
        [void](Invoke-Program $reg @('delete', $keys[$i], '/f') 60)
        if (Test-Path -LiteralPath $file) { [void](Invoke-Program $reg @('import', $file) 60) }
    }
    $still = Get-Changed
    if ($still.Count -gt 0) { throw ('not as before: ' + ($still -join ',')) }
}

# ---- the end: whatever happened, the machine is as before --------------------------------------------------------------

function Remove-Everything {
    $left = @()
    try {
        if (Get-ScheduledTask -TaskName $taskName -ErrorAction SilentlyContinue) { Unregister-ScheduledTask -TaskName $taskName -Confirm:$false }
    } catch { $left += "task: $($_.Exception.Message)" }
    try {
        if ((Test-Path -LiteralPath $program) -and ((Get-Service -Name $serviceName -ErrorAction SilentlyContinue) -or (Test-Path -LiteralPath $data))) {
            $said = Invoke-Program $program @('uninstall', '--purge') 180
            if ($said.Code -ne 0) { $left += "uninstall: $($said.All)" }
        }
    } catch { $left += "uninstall: $($_.Exception.Message)" }
    try {
        if (Get-Service -Name $serviceName -ErrorAction SilentlyContinue) {
            [void](Invoke-Program (Join-Path $system32 'sc.exe') @('stop', $serviceName) 60)
            [void](Invoke-Program (Join-Path $system32 'sc.exe') @('delete', $serviceName) 60)
        }
    } catch { $left += "service: $($_.Exception.Message)" }
    try {
        if (Test-Path -LiteralPath (Join-Path $safe 'saved')) { Restore-Registry }
    } catch { $left += "registry: $($_.Exception.Message)" }
    try { if (Test-Path -LiteralPath (Join-Path $safe 'applocker')) { Update-Policies } } catch { $left += "applocker: $($_.Exception.Message)" }
    try { Enable-Noted } catch { $left += "device: $($_.Exception.Message)" }
    foreach ($folder in @($data, $shared, $programs, $safe)) {
        if (($folder -eq $safe) -and ($left.Count -gt 0)) { $left += "the exports are kept in $safe"; continue }
        try {
            if (Test-Path -LiteralPath $folder) { Remove-Item -LiteralPath $folder -Recurse -Force }
        } catch { $left += "folder ${folder}: $($_.Exception.Message)" }
    }
    return , $left
}

# Enable-Noted enables the stick when the agent did not. Its ids were noted before anything was installed.
function Enable-Noted {
    $noted = Join-Path $safe 'stick.txt'
    if (-not (Test-Path -LiteralPath $noted)) { return }
    foreach ($id in (Get-Content -LiteralPath $noted -Encoding UTF8)) {
        if ($id -and (Get-Problem $id) -eq 22) { Enable-PnpDevice -InstanceId $id -Confirm:$false }
    }
}

function Write-Report {
    $lines = New-Object System.Collections.ArrayList
    $windows = Get-CimInstance -ClassName Win32_OperatingSystem
    $version = Get-ItemProperty -LiteralPath 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion'
    $update = '?'
    if ($version.PSObject.Properties['UBR']) { $update = $version.UBR }
    [void]$lines.Add('Sekisho: proof on a real Windows / 実機での確認')
    [void]$lines.Add(('windows={0} build={1}.{2} domain={3} powershell={4} time={5:yyyy-MM-dd HH:mm}' -f $windows.Caption, $windows.BuildNumber, $update,
            (Get-CimInstance -ClassName Win32_ComputerSystem).PartOfDomain, $PSVersionTable.PSVersion, (Get-Date)))
    [void]$lines.Add('proved = 確認できた, refuted = 期待と違った, unknown = 分からなかった')
    [void]$lines.Add('')
    foreach ($r in $results) {
        [void]$lines.Add(('[{0}] {1}' -f $r.Word, $r.Id))
        [void]$lines.Add('    ' + $r.Japanese)
        [void]$lines.Add('    ' + $r.English)
        if ($r.Detail) { [void]$lines.Add('    ' + $r.Detail) }
    }
    foreach ($word in @('proved', 'refuted', 'unknown')) {
        [void]$lines.Add(('{0}: {1}' -f $word, @($results | Where-Object { $_.Word -eq $word }).Count))
    }
    # With a mark, so that every Windows program reads it as UTF-8.
    [System.IO.File]::WriteAllText($Report, (($lines -join "`r`n") + "`r`n"), (New-Object System.Text.UTF8Encoding($true)))
    Say "報告書: $Report (この1つを送ってください)" "Report: $Report (please send this one file)"
}

# ---- the stick ---------------------------------------------------------------------------------------------------------

# Find-Stick gives the only USB disk: its number, letter, and device ids from the disk up to the USB device.
function Find-Stick {
    $disks = @(Get-Disk | Where-Object { $_.BusType -eq 'USB' })
    if ($disks.Count -ne 1) { return $null }
    $number = [int]$disks[0].Number
    $drive = Get-CimInstance -ClassName Win32_DiskDrive -Filter "Index=$number"
    $letter = ''
    foreach ($part in @(Get-Partition -DiskNumber $number -ErrorAction SilentlyContinue)) {
        if ($part.DriveLetter -match '[A-Z]') { $letter = [string]$part.DriveLetter; break }
    }
    if ($letter -eq '') { return $null }
    $chain = @($drive.PNPDeviceID)
    $id = $drive.PNPDeviceID
    for ($i = 0; $i -lt 4; $i++) {
        $id = (Get-PnpDeviceProperty -InstanceId $id -KeyName 'DEVPKEY_Device_Parent').Data
        if (-not $id -or $id -notmatch '^USB\\VID_') { break }
        $chain += $id
    }
    if ($chain.Count -lt 2) { return $null }
    # A hub above it has the same form of id; the stick is the first one, its functions have "&MI_".
    $usb = @($chain[1])
    if ($chain[1] -match '&MI_' -and $chain.Count -gt 2) { $usb += $chain[2] }
    return [pscustomobject]@{ Number = $number; Letter = $letter; Disk = $drive.PNPDeviceID; Usb = $usb }
}

# Get-Outcome is what the agent says of the stick: '' when it does not see it, $null when it does not answer.
function Get-Outcome($Stick) {
    $answer = Get-Answer
    if ($null -eq $answer) { return $null }
    if (-not $answer.status.PSObject.Properties['devices']) { return '' }
    foreach ($d in $answer.status.devices) {
        if ($Stick.Usb -contains $d.device.id) { return [string]$d.outcome }
    }
    return ''
}

function Test-Blocked($Stick) { return ((Get-Outcome $Stick) -eq 'blocked') }

function Test-Gone($Stick) {
    $outcome = Get-Outcome $Stick
    return (($null -ne $outcome) -and ($outcome -eq ''))
}

function Test-Readable($Stick) { return @([System.IO.Directory]::GetFileSystemEntries($Stick.Letter + ':\')).Count -gt 0 }

# ---- what is looked at ---------------------------------------------------------------------------------------------------

# Test-Notifications asks a second agent that only looks: it says at once when Windows does not tell of devices.
function Test-Notifications {
    $state = Join-Path $safe 'observe'
    $config = Join-Path $safe 'observe.yaml'
    [System.IO.File]::WriteAllText($config, "state: '$state'`r`n", (New-Object System.Text.UTF8Encoding($false)))
    $said = Join-Path $safe 'observe.txt'
    # Before the service is there: an agent in the foreground must not meet it.
    $process = Start-Process -FileName $program -ArgumentList ('run --observe --config "' + $config + '"') -PassThru -NoNewWindow -RedirectStandardError $said
    [void](Wait-Until 60 { $process.HasExited -or (Test-Path -LiteralPath (Join-Path $state 'boot.json')) })
    Start-Sleep -Seconds 5
    $ended = $process.HasExited
    if (-not $ended) { $process.Kill(); [void]$process.WaitForExit(10000) }
    $text = [System.IO.File]::ReadAllText($said)
    if ($ended) { return (New-Finding $null ('the agent that only looks ended: ' + $text)) }
    if (-not (Test-Path -LiteralPath (Join-Path $state 'boot.json'))) { return (New-Finding $null 'the agent that only looks did not begin to look') }
    return (New-Finding ($text -notmatch 'does not tell of devices') 'CM_Register_Notification')
}

# Test-Tuning reads the registry: what sc.exe says is translated. FailureActions is SERVICE_FAILURE_ACTIONS with 32-bit pointers:
# seconds until earlier failures are forgotten, two texts, the number of actions, their place, then kind and milliseconds of each.
function Test-Tuning {
    $key = "SYSTEM\CurrentControlSet\Services\$serviceName"
    $delayed = Get-Value $key 'DelayedAutostart'
    $before = Get-Value $key 'PreshutdownTimeout'
    $flag = Get-Value $key 'FailureActionsOnNonCrashFailures'
    $raw = Get-Value $key 'FailureActions'
    $words = @()
    if ($raw) { for ($i = 0; $i + 3 -lt $raw.Length; $i += 4) { $words += [System.BitConverter]::ToUInt32($raw, $i) } }
    $actions = ($words -join ',')
    $kept = ($words.Count -ge 11) -and ($words[0] -eq 86400) -and ($words[3] -eq 3)
    $kept = $kept -and ($words[5] -eq 1) -and ($words[6] -eq 5000) -and ($words[7] -eq 1) -and ($words[8] -eq 10000) -and ($words[9] -eq 1) -and ($words[10] -eq 60000)
    $all = $kept -and ($flag -eq 1) -and ($delayed -eq 1) -and ($before -eq 20000)
    return (New-Finding $all "actions=$actions failureflag=$flag delayed=$delayed preshutdown=$before")
}

# Test-Folder compares who may use a folder with a list of SIDs; nothing may come from ProgramData.
function Test-Folder([string]$Folder, [string[]]$Full, [string[]]$Read) {
    $acl = Get-Acl -LiteralPath $Folder
    $wrong = @()
    if (-not $acl.AreAccessRulesProtected) { $wrong += 'inherits' }
    $write = [System.Security.AccessControl.FileSystemRights]'WriteData, AppendData, Delete, ChangePermissions, TakeOwnership'
    foreach ($rule in $acl.GetAccessRules($true, $true, [System.Security.Principal.SecurityIdentifier])) {
        $sid = $rule.IdentityReference.Value
        if ($Full -contains $sid) { continue }
        if (($Read -contains $sid) -and (($rule.FileSystemRights -band $write) -eq 0)) { continue }
        $wrong += "${sid}: $($rule.FileSystemRights)"
    }
    $owner = $acl.GetOwner([System.Security.Principal.SecurityIdentifier]).Value
    if ($Full -notcontains $owner) { $wrong += "owner $owner" }
    return (New-Finding ($wrong.Count -eq 0) ($acl.Sddl + ' ' + ($wrong -join ', ')))
}

# Invoke-AsUser runs a list of commands without administrator's rights, by a task of the one who is signed in.
function Invoke-AsUser {
    [void](New-Item -ItemType Directory -Path $shared -Force)
    $script = Join-Path $safe 'asuser.cmd'
    # The redirection comes first: "echo 0> file" would be a redirection of handle 0.
    $commands = @(
        '@echo off',
        ('cd /d "' + $shared + '"'),
        '"%SystemRoot%\System32\whoami.exe" /groups > groups.txt',
        ('"' + $program + '" status --lang en > status.txt 2>&1'),
        '>status.code echo %errorlevel%',
        ('"' + $program + '" request --lang en > request.txt 2>&1'),
        '>request.code echo %errorlevel%',
        ('"%SystemRoot%\System32\sc.exe" stop ' + $serviceName + ' > stop.txt 2>&1'),
        '>stop.code echo %errorlevel%',
        ('dir "' + (Join-Path $data 'state') + '" > state.txt 2>&1'),
        '>state.code echo %errorlevel%',
        'echo done> end.txt'
    )
    Set-Content -LiteralPath $script -Value $commands -Encoding ASCII
    $me = [System.Security.Principal.WindowsIdentity]::GetCurrent().Name
    $action = New-ScheduledTaskAction -Execute (Join-Path $system32 'cmd.exe') -Argument ('/c "' + $script + '"')
    $who = New-ScheduledTaskPrincipal -UserId $me -LogonType Interactive -RunLevel Limited
    $how = New-ScheduledTaskSettingsSet -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries
    [void](Register-ScheduledTask -TaskName $taskName -Action $action -Principal $who -Settings $how -Force)
    Start-ScheduledTask -TaskName $taskName
    $took = Wait-Until 60 { Test-Path -LiteralPath (Join-Path $shared 'end.txt') }
    Unregister-ScheduledTask -TaskName $taskName -Confirm:$false
    return ($null -ne $took)
}

function Read-Shared([string]$Name) {
    $file = Join-Path $shared $Name
    if (-not (Test-Path -LiteralPath $file)) { return '' }
    return ([System.IO.File]::ReadAllText($file)).Trim()
}

function Test-AsUser([string]$Name, [string]$WantCode, [string]$WantText) {
    # S-1-16-12288 is a process with an administrator's rights.
    if ((Read-Shared 'groups.txt') -match 'S-1-16-12288') { return (New-Finding $null 'this account has no limited token (UAC is off)') }
    $code = Read-Shared "$Name.code"
    $text = Read-Shared "$Name.txt"
    if ($code -eq '') { return (New-Finding $null 'the task wrote nothing') }
    return (New-Finding (($code -match $WantCode) -and ($text -match $WantText)) "code=$code $text")
}

function Test-Log([int]$Id, [string]$Want) {
    $since = $script:begin
    $found = @(Get-WinEvent -FilterHashtable @{ LogName = 'Application'; ProviderName = 'Sekisho'; Id = $Id; StartTime = $since } -ErrorAction SilentlyContinue)
    if ($found.Count -eq 0) { return (New-Finding $false "no event $Id") }
    $text = [string]$found[0].Message
    return (New-Finding ($text -match $Want) $text)
}

function Test-Policies {
    $layered = Get-Value $restrictions 'AllowDenyLayered'
    $deny = Get-Value $restrictions 'DenyDeviceIDs'
    $read = Get-Value $removable 'Deny_Read'
    $autorun = Get-Value $explorer 'NoDriveTypeAutoRun'
    $detail = "AllowDenyLayered=$layered DenyDeviceIDs=$deny Deny_Read=$read NoDriveTypeAutoRun=$autorun"
    $build = [int](Get-CimInstance -ClassName Win32_OperatingSystem).BuildNumber
    if ($build -lt 19044) { return (New-Finding (($read -eq 1) -and ($autorun -eq 255)) ($detail + ' (older Windows: the first two may be missing)')) }
    return (New-Finding (($layered -eq 1) -and ($deny -eq 1) -and ($read -eq 1) -and ($autorun -eq 255)) $detail)
}

function Read-Yes([string]$Japanese, [string]$English) {
    Say $Japanese $English
    $answer = Read-Host '(y/n)'
    if ($answer -match '^[yY]') { return $true }
    if ($answer -match '^[nN]') { return $false }
    return $null
}

# ---- AppLocker: does Windows understand and follow the rules that the agent makes? ------------------------------------------

# Get-Rules is what the agent would tell AppLocker of a policy, as one document.
function Get-Rules([string]$Undecided) {
    $policy = '{"mode":"enforce","undecided":"' + $Undecided + '","stall":"allow","rules":[' +
        '{"id":"proof-name","name":{"ja":"proof"},"match":{"kind":["file"],"name":["sekisho-proof-denied.exe"]},"action":"block"},' +
        '{"id":"proof-path","name":{"ja":"proof"},"match":{"kind":["file"],"path":["' + (Join-Path $programs 'by-path').Replace('\', '\\') + '\\*"]},"action":"block"}]}'
    $file = Join-Path $safe "software-$Undecided.json"
    [System.IO.File]::WriteAllText($file, $policy, (New-Object System.Text.UTF8Encoding($false)))
    $said = Invoke-Program $program @('applocker', '--policy', $file) 30
    if ($said.Code -ne 0) { throw $said.All }
    $xml = Join-Path $safe "applocker-$Undecided.xml"
    [System.IO.File]::WriteAllText($xml, $said.Out, (New-Object System.Text.UTF8Encoding($false)))
    return $xml
}

# Copy-Programs lays programs of Windows where a user could have put them.
function Copy-Programs {
    [void](New-Item -ItemType Directory -Path (Join-Path $programs 'by-path') -Force)
    $where = Join-Path $system32 'where.exe'
    foreach ($name in @('sekisho-proof-denied.exe', 'sekisho-proof-fine.exe', 'by-path\sekisho-proof-there.exe')) {
        Copy-Item -LiteralPath $where -Destination (Join-Path $programs $name) -Force
    }
}

function Get-Decision([string]$Xml, [string]$Path) {
    return [string](Test-AppLockerPolicy -XmlPolicy $Xml -Path $Path -User 'Everyone').PolicyDecision
}

# Test-Decisions asks Windows' own tool what the rules would do; nothing is set.
function Test-Decisions([string]$Undecided, [string]$Fine) {
    $xml = Get-Rules $Undecided
    $got = @{}
    $got['denied'] = Get-Decision $xml (Join-Path $programs 'sekisho-proof-denied.exe')
    $got['path'] = Get-Decision $xml (Join-Path $programs 'by-path\sekisho-proof-there.exe')
    $got['fine'] = Get-Decision $xml (Join-Path $programs 'sekisho-proof-fine.exe')
    $got['windows'] = Get-Decision $xml (Join-Path $system32 'notepad.exe')
    $got['agent'] = Get-Decision $xml $program
    $is = ($got['denied'] -eq 'Denied') -and ($got['path'] -eq 'Denied') -and ($got['fine'] -eq $Fine) -and ($got['windows'] -eq 'Allowed') -and ($got['agent'] -eq 'Allowed')
    return (New-Finding $is (($got.Keys | Sort-Object | ForEach-Object { "$_=" + $got[$_] }) -join ' '))
}

# Test-Facts compares hash and signer of a signed program as the agent and as Windows write them.
function Test-Facts([string]$What) {
    $candidates = @((Join-Path ${env:ProgramFiles(x86)} 'Microsoft\Edge\Application\msedge.exe'), (Join-Path $env:ProgramFiles 'Windows Defender\MpCmdRun.exe'))
    foreach ($file in $candidates) {
        if (-not (Test-Path -LiteralPath $file)) { continue }
        $theirs = Get-AppLockerFileInformation -Path $file
        $said = Invoke-Program $program @('applocker', '--file', $file) 30
        $ours = $said.Out | ConvertFrom-Json
        if ($What -eq 'hash') { return (New-Finding ([string]$theirs.Hash -match $ours.Authenticode) "windows=$($theirs.Hash) agent=$($ours.Authenticode)") }
        return (New-Finding ([string]$theirs.Publisher -like ($ours.Signer + '\*')) "windows=$($theirs.Publisher) agent=$($ours.Signer)")
    }
    return (New-Finding $null 'no signed program to compare with')
}

function Update-Policies { [void](Invoke-Program (Join-Path $system32 'gpupdate.exe') @('/target:computer', '/force', '/wait:60') 120) }

# Set-Rules writes each rule under a key of its own, as the agent does. Mode 0 only writes into the log, 1 stops.
function Set-Rules([string]$Xml, [int]$Mode) {
    Set-Content -LiteralPath (Join-Path $safe 'applocker') -Value 'yes' -Encoding ASCII
    $document = New-Object System.Xml.XmlDocument
    $document.Load($Xml)
    foreach ($collection in $document.DocumentElement.ChildNodes) {
        if ($collection.NodeType -ne 'Element') { continue }
        $key = [Microsoft.Win32.Registry]::LocalMachine.CreateSubKey($srp + '\' + $collection.Type)
        $key.SetValue('EnforcementMode', $Mode, [Microsoft.Win32.RegistryValueKind]::DWord)
        foreach ($rule in $collection.ChildNodes) {
            if ($rule.NodeType -ne 'Element') { continue }
            $one = $key.CreateSubKey($rule.Id)
            $one.SetValue('Value', $rule.OuterXml, [Microsoft.Win32.RegistryValueKind]::String)
            $one.Close()
        }
        $key.Close()
    }
}

# Test-Runs is 0 when a program can be started, else Windows' error number; 1260 is "blocked by policy".
function Test-Runs([string]$Path) {
    try {
        $said = Invoke-Program $Path @('/?') 20
        if ($said.Code -ge 0) { return 0 }
        return 1
    } catch {
        $e = $_.Exception
        while ($e.InnerException) { $e = $e.InnerException }
        if ($e -is [System.ComponentModel.Win32Exception]) { return $e.NativeErrorCode }
        return -1
    }
}

function Get-AppLockerEvents([int]$Id, $Since) {
    return , @(Get-WinEvent -FilterHashtable @{ LogName = 'Microsoft-Windows-AppLocker/EXE and DLL'; Id = $Id; StartTime = $Since } -ErrorAction SilentlyContinue)
}

# Test-Effect sets rules for some minutes, looks, and takes them away again.
function Test-Effect {
    $denied = Join-Path $programs 'sekisho-proof-denied.exe'
    $fine = Join-Path $programs 'sekisho-proof-fine.exe'
    $since = (Get-Date).AddSeconds(-1)
    try {
        Set-Rules (Get-Rules 'report') 0
        Test-Line 'applocker-service' 'AppIDSvc を起動できる' 'AppIDSvc can be started' {
            Start-Service -Name 'AppIDSvc'
            New-Finding ((Get-Service -Name 'AppIDSvc').Status -eq 'Running') ''
        }
        Update-Policies
        $would = Wait-Until 120 { [void](Test-Runs $denied); (Get-AppLockerEvents 8003 $since).Count -gt 0 }
        Test-Line 'applocker-would' '記録のみのとき、止めたはずのものがログに残る(8003)' 'While only recording, what would have been stopped is in the log (8003)' {
            $found = Get-AppLockerEvents 8003 $since
            if ($found.Count -eq 0) { return (New-Finding $false 'no event 8003') }
            New-Finding (($found[0].ToXml() -match 'sekisho-proof-denied') -and ($found[0].ToXml() -match '<RuleAndFileData')) ("milliseconds=$would events=" + $found.Count)
        }
        $since = (Get-Date).AddSeconds(-1)
        Set-Rules (Get-Rules 'report') 1
        Update-Policies
        $applied = Wait-Until 120 { (Get-AppLockerEvents 8001 $since).Count -gt 0 }
        Test-Line 'applocker-applied' 'AppLocker がレジストリの規則を取り込む(8001)' 'AppLocker takes the rules from the registry (8001)' { New-Finding ($null -ne $applied) "milliseconds=$applied" }
        $stopped = Wait-Until 120 { (Test-Runs $denied) -eq 1260 }
        Test-Line 'applocker-stops' '禁止したプログラムは起動しない' 'A forbidden program does not start' { New-Finding ($null -ne $stopped) "milliseconds=$stopped code=$(Test-Runs $denied)" }
        Test-Line 'applocker-event' '止めたことがログに残る(8004)' 'What was stopped is in the log (8004)' {
            $found = Get-AppLockerEvents 8004 $since
            if ($found.Count -eq 0) { return (New-Finding $false 'no event 8004') }
            New-Finding ($found[0].ToXml() -match 'sekisho-proof-denied') ('events=' + $found.Count)
        }
        Test-Line 'applocker-others' 'ほかのプログラムとスタート メニューは動く' 'Other programs and packaged apps go on' {
            New-Finding (((Test-Runs $fine) -eq 0) -and ((Get-AppLockerEvents 8027 $since).Count -eq 0)) "fine=$(Test-Runs $fine)"
        }
    } finally {
        [Microsoft.Win32.Registry]::LocalMachine.DeleteSubKeyTree($srp, $false)
        Update-Policies
    }
    $free = Wait-Until 120 { (Test-Runs $denied) -eq 0 }
    Test-Line 'applocker-undone' '規則を消すと、また起動する' 'Without the rules it starts again' { New-Finding ($null -ne $free) "milliseconds=$free" }
}

function Test-AppLocker {
    if (-not (Get-Command -Name Test-AppLockerPolicy -ErrorAction SilentlyContinue)) {
        Add-Result 'applocker' 'unknown' 'この Windows には AppLocker の道具がない' 'This Windows has no tools for AppLocker' ''
        return
    }
    Copy-Programs
    Test-Line 'applocker-form' '規則の形を Windows が読める(載っていないものは許可)' 'Windows reads the rules (what no rule names goes on)' { Test-Decisions 'report' 'Allowed' }
    Test-Line 'applocker-closed' '規則の形を Windows が読める(載っていないものは禁止)' 'Windows reads the rules (what no rule names is stopped)' { Test-Decisions 'block' 'DeniedByDefault' }
    Test-Line 'applocker-hash' 'AppLocker のハッシュと一致する' 'The hash is AppLocker''s' { Test-Facts 'hash' }
    Test-Line 'applocker-publisher' '署名者の書き方が AppLocker と一致する' 'The signer is written as AppLocker does' { Test-Facts 'publisher' }
    if (Test-Path -LiteralPath ('HKLM:\' + $srp)) {
        Add-Result 'applocker-applied' 'unknown' 'AppLocker はこの PC で設定済み' 'AppLocker is configured here already: not tried' ''
        return
    }
    Test-Effect
}

# ---- what the checks read, held against Windows' own tools ------------------------------------------------------------

# Read-Health is what the agent reads on this machine, by fact; a fact of several parts is a list.
function Read-Health {
    $said = Invoke-Program $program @('ask', 'health') 300
    if ($said.Code -ne 0) { throw "ask health: $($said.All)" }
    return @($said.Out -split "`n" | Where-Object { $_.Trim() -ne '' } | ForEach-Object { $_ | ConvertFrom-Json })
}

function Get-Fact($Facts, [string]$Name, [string]$Product) {
    $found = @($Facts | Where-Object { ($_.fact -eq $Name) -and (($Product -eq '') -or ($_.PSObject.Properties['product'] -and ($_.product -eq $Product))) })
    if ($found.Count -eq 0) { return $null }
    return $found[0]
}

# Get-Said is a fact's value, or (code) where it was not read.
function Get-Said($Fact) {
    if ($null -eq $Fact) { return '(no such fact)' }
    if ($Fact.PSObject.Properties['code'] -and $Fact.code) { return "($($Fact.code))" }
    if ($Fact.PSObject.Properties['value']) { return [string]$Fact.value }
    return ''
}

# Compare-Fact proves when both say the same, refutes when they differ, and cannot tell when the agent could not read it.
function Compare-Fact([string]$Agent, [string]$Windows) {
    $is = $null
    if (-not $Agent.StartsWith('(')) { $is = ($Agent -eq $Windows) }
    return (New-Finding $is "agent=$Agent windows=$Windows")
}

function Test-Health {
    $facts = Read-Health
    Add-Result 'health' $(if ($facts.Count -gt 30) { 'proved' } else { 'refuted' }) '検査の値が読める' 'The checks read their facts' ("facts=$($facts.Count) unread=" + (@($facts | Where-Object { $_.PSObject.Properties['code'] -and $_.code } | ForEach-Object { "$($_.fact)=$($_.code)" }) -join ','))
    Test-Line 'health-realtime' 'Defender のリアルタイム検査' 'Real-time scan of Defender' {
        Compare-Fact (Get-Said (Get-Fact $facts 'antivirus.realtime' 'defender')) ([string](Get-MpComputerStatus).RealTimeProtectionEnabled).ToLower()
    }
    Test-Line 'health-pattern' 'Defender のパターンファイルの日付(2日以内の差)' 'Date of the patterns of Defender (within two days)' {
        $said = Get-Said (Get-Fact $facts 'antivirus.pattern_date' 'defender')
        $windows = (Get-MpComputerStatus).AntivirusSignatureLastUpdated.ToUniversalTime()
        $is = $null
        if (-not $said.StartsWith('(')) { $is = ([Math]::Abs(([datetime]::Parse($said).ToUniversalTime() - $windows).TotalDays) -le 2) }
        New-Finding $is "agent=$said windows=$($windows.ToString('s'))"
    }
    Test-Line 'health-center' 'セキュリティ センターの値' 'What Security Center says' {
        $said = Invoke-Program $program @('ask', 'wmi', 'root\SecurityCenter2', 'AntiVirusProduct', '""', 'displayName', 'productState') 60
        $agent = (@(($said.Out | ConvertFrom-Json).instances | ForEach-Object { "$($_.productState)" }) | Sort-Object) -join ','
        $windows = (@(Get-CimInstance -Namespace root/SecurityCenter2 -ClassName AntiVirusProduct | ForEach-Object { "$($_.productState)" }) | Sort-Object) -join ','
        New-Finding ($agent -eq $windows) "agent=$agent windows=$windows"
    }
    Test-Line 'health-bitlocker' 'ディスク暗号化' 'Disk encryption' {
        $windows = ([string]((Get-BitLockerVolume -MountPoint $env:SystemDrive).ProtectionStatus -eq 'On')).ToLower()
        Compare-Fact (Get-Said (Get-Fact $facts 'settings.disk_encryption' $env:SystemDrive)) $windows
    }
    Test-Line 'health-secureboot' 'セキュアブート' 'Secure Boot' {
        $windows = 'false'
        try { $windows = ([string](Confirm-SecureBootUEFI)).ToLower() } catch { $windows = 'false' }
        Compare-Fact (Get-Said (Get-Fact $facts 'settings.secure_boot' '')).Replace('started without UEFI', 'false') $windows
    }
    Test-Line 'health-firewall' 'ファイアウォール' 'Firewall' {
        $agent = (@('Domain', 'Private', 'Public' | ForEach-Object { "$_=" + [string]((Get-Said (Get-Fact $facts 'settings.firewall' $_)) -eq 'true') })) -join ','
        $windows = (@('Domain', 'Private', 'Public' | ForEach-Object { "$_=" + [string]((Get-NetFirewallProfile -Name $_ -PolicyStore ActiveStore).Enabled -eq 'True') })) -join ','
        New-Finding ($agent -eq $windows) "agent=$agent windows=$windows"
    }
    Test-Line 'health-admins' '管理者の数(無効の組込みを除く)' 'Number of administrators (without a disabled built-in one)' {
        $said = Get-Said (Get-Fact $facts 'settings.admins' '')
        $asleep = @(Get-LocalUser | Where-Object { ($_.SID.Value -like '*-500') -and (-not $_.Enabled) }).Count
        $windows = @(Get-LocalGroupMember -SID 'S-1-5-32-544').Count - $asleep
        $is = $null
        if (-not $said.StartsWith('(')) { $is = (@($said -split ', ' | Where-Object { $_ -ne '' }).Count -eq $windows) }
        New-Finding $is "agent=$(@($said -split ', ').Count) windows=$windows" # names stay here
    }
    Test-Line 'health-build' 'Windows の版' 'Build and revision' {
        $key = 'SOFTWARE\Microsoft\Windows NT\CurrentVersion'
        $support = Get-Said (Get-Fact $facts 'patch.support_end' '')
        New-Finding (-not $support.StartsWith('(')) ("build=$(Get-Value $key 'CurrentBuildNumber').$(Get-Value $key 'UBR') type=$(Get-Value $key 'InstallationType') edition=$(Get-Value $key 'EditionID') support=$support")
    }
    Test-Line 'health-network' 'ネットワークの口の数' 'Number of network adapters' {
        $agent = 0
        foreach ($name in @('network.cards', 'network.wifi', 'network.tethers', 'network.modems')) {
            $agent += @((Get-Said (Get-Fact $facts $name '')) -split ', ' | Where-Object { $_ -ne '' }).Count
        }
        $windows = @(Get-NetAdapter -Physical | Where-Object { $_.Status -eq 'Up' }).Count
        New-Finding ($agent -eq $windows) "agent=$agent windows=$windows wifi=$(@((Get-Said (Get-Fact $facts 'network.wifi' '')) -match 'not readable').Count)"
    }
    Test-Line 'health-updates' '更新プログラムの検索(外へは問い合わせない)' 'Search for updates (nobody outside is asked)' {
        $clock = [System.Diagnostics.Stopwatch]::StartNew()
        $said = Invoke-Program $program @('ask', 'updates', '""') 600
        $script:peak = $said.Peak
        $answer = $said.Out | ConvertFrom-Json
        $ok = -not ($answer.PSObject.Properties['code'] -and $answer.code)
        New-Finding $ok "seconds=$([int]$clock.Elapsed.TotalSeconds) missing=$(@($answer.missing | Where-Object { $_ }).Count) installed=$($answer.installed) $(if (-not $ok) { $answer.fault })"
    }
    Test-Line 'health-memory' '検索は 1 GiB のメモリーに収まる' 'The search stays below 1 GiB of memory' {
        $is = $null
        if ($script:peak -gt 0) { $is = ($script:peak -lt 1073741824) }
        New-Finding $is "MiB=$([int]($script:peak / 1048576))"
    }
    Test-Accounts $facts
}

# Test-Accounts compares what a Wine has nothing of. Names stay here.
function Test-Accounts($Facts) {
    Test-Line 'health-bootpassword' '起動パスワード' 'Boot password' {
        $said = Get-Said (Get-Fact $Facts 'settings.boot_password' '')
        $windows = [int](Get-CimInstance -ClassName Win32_ComputerSystem).PowerOnPasswordStatus # 0 off, 1 on, 2 not implemented, 3 not known
        $want = @('false', 'true', '(no_source)', '(no_source)')[$windows]
        New-Finding ($said -eq $want) "agent=$said windows=$windows"
    }
    Test-Line 'health-guest' 'Guest アカウント' 'Guest account' {
        $said = Get-Said (Get-Fact $Facts 'settings.guests' '')
        $windows = @(Get-LocalUser | Where-Object { ($_.SID.Value -like '*-501') -and $_.Enabled }).Count
        $is = $null
        if (-not $said.StartsWith('(')) { $is = (($said -ne '') -eq ($windows -eq 1)) }
        New-Finding $is "agent=$($said -ne '') windows=$($windows -eq 1)"
    }
    Test-Line 'health-passwords' 'パスワードの最小の長さ' 'Shortest password' {
        $computer = [ADSI]"WinNT://$env:COMPUTERNAME,computer"
        Compare-Fact (Get-Said (Get-Fact $Facts 'settings.password_length' '')) ([string]$computer.MinPasswordLength.Value)
    }
}

# ---- the story -----------------------------------------------------------------------------------------------------------

function Install-Agent {
    [void](New-Item -ItemType Directory -Path (Join-Path $data 'gate') -Force)
    # A gate that stands shut is what an agent without a policy takes for enforce: no console is needed here.
    [void](New-Item -ItemType File -Path (Join-Path $data 'gate\shut') -Force)
    $script:begin = (Get-Date).AddSeconds(-1)
    $clock = [System.Diagnostics.Stopwatch]::StartNew()
    $said = Invoke-Program $program @('install') 180
    Add-Result 'install' $(if ($said.Code -eq 0) { 'proved' } else { 'refuted' }) '導入できる' 'The agent installs' "code=$($said.Code) seconds=$([int]$clock.Elapsed.TotalSeconds) $($said.All)"
    if ($said.Code -ne 0) { throw 'install failed' }
}

function Test-Story($Stick) {
    Test-Line 'service' 'サービスが動いている' 'The service runs' { New-Finding ((Get-Service -Name $serviceName).Status -eq 'Running') '' }
    Test-Line 'tuning' '再起動・遅延開始・終了前の時間が Windows に残る' 'Recovery actions, delayed start and time before shutdown are kept' { Test-Tuning }
    $took = Wait-Until 60 { Test-Blocked $Stick }
    Test-Line 'blocked' 'USB メモリを止めたとエージェントが確かめた' 'The agent says blocked (verified)' { New-Finding ($null -ne $took) "milliseconds=$took device=$($Stick.Usb -join ' ')" }
    Test-Line 'device' '装置が無効になっている(コード 22)' 'The device is disabled (code 22)' {
        $codes = @($Stick.Usb | ForEach-Object { Get-Problem $_ })
        New-Finding ($codes -contains 22) ('codes=' + ($codes -join ','))
    }
    Test-Line 'volume' 'ドライブもディスクも開けない' 'Neither the volume nor the disk can be opened' {
        $volume = Get-Opens ('\\.\' + $Stick.Letter + ':')
        $disk = Get-Opens ('\\.\PhysicalDrive' + $Stick.Number)
        New-Finding (($volume -ne 0) -and ($disk -ne 0)) "volume=$volume disk=$disk (0 would be: it opens)"
    }
    Test-Line 'policies' 'レジストリの制限が書かれている' 'The policies are in the registry' { Test-Policies }
    Test-Line 'message' '利用者の画面に知らせが出た' 'The user was told on the screen' {
        New-Finding (Read-Yes '「…の接続を止めました」という知らせが画面に出ましたか。出たら閉じてください。' 'Did a message window say that the stick was blocked? Close it if so.') ''
    }
    Test-Line 'keyboard' 'キーボードが使える' 'The keyboard works' {
        Say 'キーボードで sekisho と打って Enter を押してください。' 'Please type sekisho and press Enter.'
        New-Finding ((Read-Host) -match 'sekisho') ''
    }
    Test-Line 'log-start' 'イベント ログ 100(開始)' 'Event 100 (started) is in the Application log' { Test-Log 100 'code=started' }
    Test-Line 'log-block' 'イベント ログ 300(遮断)' 'Event 300 (blocked) is in the Application log' { Test-Log 300 'outcome=blocked' }
    $admins = @('S-1-5-18', 'S-1-5-32-544')
    Test-Line 'acl-config' '設定のフォルダーは SYSTEM と管理者だけのもの' 'The configuration folder is for SYSTEM and Administrators only' { Test-Folder $data $admins @() }
    Test-Line 'acl-state' '状態のフォルダーは SYSTEM と管理者だけのもの' 'The state folder is for SYSTEM and Administrators only' { Test-Folder (Join-Path $data 'state') $admins @() }
    Test-Line 'acl-channel' '窓口のフォルダーは利用者が読めるだけ' 'The channel folder can only be read by who is signed in' { Test-Folder (Join-Path $data 'run') $admins @('S-1-5-4') }
    $ran = $false
    try { $ran = Invoke-AsUser } catch { Write-Host $_.Exception.Message }
    if (-not $ran) { Write-Host 'the task for the commands of a user did not end' }
    Test-Line 'user-status' '管理者でなくても status が使える' 'status answers a user without rights' { Test-AsUser 'status' '^0' 'enforce' }
    Test-Line 'user-request' '管理者でなくても request が使える' 'request answers a user without rights' { Test-AsUser 'request' '^0' 'Request number' }
    Test-Line 'user-stop' '利用者はサービスを止められない' 'A user cannot stop the service' { Test-AsUser 'stop' '^5' '' }
    Test-Line 'user-state' '利用者は記録を読めない' 'A user cannot read the records' { Test-AsUser 'state' '^1' '' }
}

function Test-Replug($Stick) {
    Say 'USB メモリを抜いて Enter を押してください。' 'Unplug the stick and press Enter.'
    [void](Read-Host)
    $gone = Wait-Until 30 { Test-Gone $Stick }
    Test-Line 'unplug' '抜いたことが見える' 'Unplugging is seen' { New-Finding ($null -ne $gone) "milliseconds=$gone" }
    Say 'USB メモリを同じ差込口に差してください(Enter は要りません。60秒待ちます)。' 'Plug the stick into the same port again (no Enter; 60 seconds).'
    $there = Wait-Until 60 { (Get-Problem $Stick.Usb[0]) -ge 0 }
    $again = Wait-Until 30 { Test-Blocked $Stick }
    # Where notifications are registered but do not come, the agent looks only once a minute.
    Test-Line 'replug' '差し直しても止まる(通知が届く)' 'It is blocked again after plugging in (notifications arrive)' {
        New-Finding (($null -ne $there) -and ($null -ne $again) -and ($again -lt 10000)) "windows=$there agent=$again (milliseconds)"
    }
}

function Test-Removal($Stick) {
    Say 'USB メモリを抜いて Enter を押してください。抜いたまま、エージェントを削除します。' 'Unplug the stick and press Enter. The agent is removed while it is out.'
    [void](Read-Host)
    [void](Wait-Until 30 { Test-Gone $Stick })
    $said = Invoke-Program $program @('uninstall', '--purge') 180
    Test-Line 'uninstall' '削除できる' 'The agent uninstalls' { New-Finding ($said.Code -eq 0) "code=$($said.Code) $($said.All)" }
    Test-Line 'service-gone' 'サービスが残らない' 'No service is left' { New-Finding ($null -eq (Get-Service -Name $serviceName -ErrorAction SilentlyContinue)) '' }
    Test-Line 'folder-gone' 'フォルダーが残らない' 'No folder is left' { New-Finding (-not (Test-Path -LiteralPath $data)) '' }
    Test-Line 'registry' 'レジストリが元と1バイトも違わない' 'The registry is as before, byte for byte' {
        $changed = @(foreach ($i in (Get-Changed)) { $keys[$i] })
        New-Finding ($changed.Count -eq 0) ($changed -join ', ')
    }
    Say 'USB メモリを同じ差込口に差してください(Enter は要りません。60秒待ちます)。' 'Plug the stick into the same port (no Enter; 60 seconds).'
    $works = Wait-Until 60 { Test-Readable $Stick }
    Test-Line 'given-back' '差していない間に返された装置が、また使える' 'A device that was given back while it was out works again' {
        New-Finding ($null -ne $works) ("milliseconds=$works codes=" + (@($Stick.Usb | ForEach-Object { Get-Problem $_ }) -join ','))
    }
}

function Test-Machine {
    $me = New-Object System.Security.Principal.WindowsPrincipal([System.Security.Principal.WindowsIdentity]::GetCurrent())
    if (-not $me.IsInRole([System.Security.Principal.WindowsBuiltInRole]::Administrator)) { throw '管理者として実行してください / run PowerShell as Administrator' }
    if (-not [Environment]::Is64BitProcess) { throw '64 ビットの PowerShell で実行してください / use the 64-bit PowerShell' }
}

Test-Machine
if ($Report -eq '') { $Report = Join-Path ([Environment]::GetFolderPath('Desktop')) ('sekisho-proof-{0:yyyyMMdd-HHmm}.txt' -f (Get-Date)) }
$Report = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Report)
if ($Restore) {
    if (-not (Test-Path -LiteralPath $safe)) { Say '戻すものはありません。' 'There is nothing to restore.'; exit 0 }
    $left = Remove-Everything
    foreach ($line in $left) { Write-Host $line }
    if ($left.Count -gt 0) { exit 1 }
    Say '元に戻しました。' 'Everything is as before.'
    exit 0
}
if (Test-Path -LiteralPath $safe) { throw "途中で終わった確認が残っています。-Restore を付けて実行してください / an earlier run was cut short: run with -Restore ($safe)" }
if ((Test-Path -LiteralPath $data) -or (Get-Service -Name $serviceName -ErrorAction SilentlyContinue)) {
    throw 'Sekisho が入っていない PC で実行してください / Sekisho is installed here: use a PC without it'
}
if ($Agent -eq '') { $Agent = Join-Path $PSScriptRoot 'sekisho-agent.exe' }
if (-not (Test-Path -LiteralPath $Agent)) { throw "sekisho-agent.exe がありません / not found: $Agent (-Agent)" }

Say 'ほかの USB の記憶装置・スマートフォン・メモリカードを外し、確認用の USB メモリだけを差して Enter を押してください。' 'Unplug all other USB storage, phones and cards, plug in the one stick for this, and press Enter.'
[void](Read-Host)
$stick = Find-Stick
if ($null -eq $stick) { throw 'ドライブ文字のある USB メモリが、ちょうど1本必要です / exactly one USB stick with a drive letter is needed' }
if (-not (Test-Readable $stick)) { throw 'USB メモリにファイルを1つ入れてください / put a file on the stick first' }

$failed = ''
try {
    [void](New-Item -ItemType Directory -Path $safe)
    Copy-Item -LiteralPath $Agent -Destination $program
    [System.IO.File]::WriteAllLines((Join-Path $safe 'stick.txt'), [string[]]$stick.Usb, (New-Object System.Text.UTF8Encoding($false)))
    Save-Registry
    Add-Type -TypeDefinition $opener
    Add-Result 'before' $(if ((Get-Opens ('\\.\' + $stick.Letter + ':')) -eq 0) { 'proved' } else { 'unknown' }) '確認の前は開ける' 'Before, the volume opens' ''
    Test-Line 'notify' 'Windows が装置の変化を知らせる' 'Windows tells of devices' { Test-Notifications }
    Test-AppLocker
    try { Test-Health } catch { Add-Result 'health' 'unknown' '検査の値が読める' 'The checks read their facts' $_.Exception.Message }
    Install-Agent
    Test-Story $stick
    Test-Replug $stick
    Test-Removal $stick
} catch {
    $failed = $_.Exception.Message
    Write-Host $failed
} finally {
    $left = Remove-Everything
    if ($failed) { Add-Result 'story' 'unknown' '確認が途中で終わった' 'The run ended early' $failed }
    Add-Result 'as-before' $(if ($left.Count -eq 0) { 'proved' } else { 'refuted' }) 'PC は元のとおり' 'The machine is as before' ($left -join ' | ')
    Write-Report
}
